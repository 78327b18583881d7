/* The pool's part of a transfer: from received records to what can be committed. */
#ifndef ZL_SYNCD_XFRIN_APPLY_H
#define ZL_SYNCD_XFRIN_APPLY_H

#include "syncd/ixfr.h"
#include "syncd/xfrin.h"

/* Builds the zone (the builder is spent), checks it, loads what the store has, and takes the
 * difference. Sets everything in *out but octets, messages and ms. Any thread; blocks. */
void xfrin_apply(struct xfrin_result *out, const struct xfrin_spec *spec,
                 struct zone_builder *builder);

/* The same for the sequences of an incremental transfer, strictly: a change that does not fit what
 * is stored gives TRANSFER_NOT_INCREMENTAL. */
void xfrin_apply_ixfr(struct xfrin_result *out, const struct xfrin_spec *spec,
                      const struct ixfr *ixfr);

/* Whether a guard command is to be asked about what came of it. */
bool xfrin_wants_command(const struct xfrin_result *result, const struct xfrin_spec *spec);
/* What it said is in out->guard: the version goes on, or is to be kept aside. Any thread; blocks.
 */
void xfrin_apply_verdict(struct xfrin_result *out, const struct xfrin_spec *spec);

#endif
