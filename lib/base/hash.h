/* SipHash: a keyed hash for tables whose keys strangers choose. */
#ifndef ZL_BASE_HASH_H
#define ZL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash_1_3(const uint8_t key[16], const void *data, size_t len);
uint64_t siphash_2_4(const uint8_t key[16], const void *data, size_t len);

#endif
