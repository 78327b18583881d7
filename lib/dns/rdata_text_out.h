/* What the files that print RDATA share: rdata_text_out.c (the fields most types are made of),
 * rdata_text_out_odd.c and rdata_text_svcb.c. They print what rdata_check accepted, and never read
 * past the reader whatever they get. */
#ifndef ZL_DNS_RDATA_TEXT_OUT_H
#define ZL_DNS_RDATA_TEXT_OUT_H

#include "lib/dns/rr_internal.h"

void out_number(struct buf *out, uint32_t v);
void out_name(struct buf *out, struct reader *r);
void out_ip(struct buf *out, struct reader *r, size_t octets); /* 4 or 16 */
void out_quoted(struct buf *out, const uint8_t *p, size_t n);  /* with the quotes */
void out_quoted_octet(struct buf *out, uint8_t c);             /* one of those between */

void out_svcparams(struct buf *out, struct reader *r); /* rdata_text_svcb.c */
void out_apl(struct buf *out, struct reader *r);       /* rdata_text_out_odd.c from here on */
void out_loc(struct buf *out, struct reader *r);
void out_gateway(struct buf *out, struct reader *r);
void out_amtrelay(struct buf *out, struct reader *r);
void out_hip(struct buf *out, struct reader *r);
void out_names(struct buf *out, struct reader *r);
void out_a6(struct buf *out, struct reader *r);
void out_atma(struct buf *out, struct reader *r);
void out_wks(struct buf *out, struct reader *r);

/* False for checked RDATA whose text would not read back as the same octets. */
bool odd_has_text(uint16_t type, const uint8_t *rdata, size_t len);

#endif
