/* Who may do what with a zone: the one place that decides. It looks at the section of the
 * configuration that holds for the zone, at where a message comes from, and at the key that really
 * signed it. Pure.
 */
#ifndef ZL_SYNCD_ACCESS_H
#define ZL_SYNCD_ACCESS_H

#include "lib/base/config.h"

struct access_client {
    struct addr source;
    int key; /* index into config.keys of the key that signed, verified; -1: unsigned */
};

/* May it transfer the zone (AXFR, IXFR)? Yes, if it signs with one of transfer-keys; if it comes
 * from the address of one of the zone's secondaries, and signs with that one's key if it has one;
 * or if it comes from transfer-from. `z` is the zone's section, NULL: it has none, and nobody may.
 * ERR_DENIED, with the reason for the log. */
MUST_USE enum err access_transfer(const struct config *c, const struct config_zone *z,
                                  const struct access_client *who, struct errinfo *e);

/* May it change the zone by UPDATE at all? Yes, if one of the zone's policies is for it. */
MUST_USE enum err access_update(const struct config *c, const struct config_zone *z,
                                const struct access_client *who, struct errinfo *e);
/* May it change records of this owner and type? Yes, if one of the policies that are for it says
 * so.
 */
bool access_update_record(const struct config *c, const struct config_zone *z,
                          const struct access_client *who, const uint8_t *apex,
                          const uint8_t *owner, uint16_t type);

#endif
