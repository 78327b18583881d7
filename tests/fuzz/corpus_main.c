/* Runs a fuzz target over files, and over all files below directories, without a fuzzer: the seeds
 * and past finds are tests. Prints "N inputs run"; a target that finds a fault aborts.
 *
 *   fuzz_X [--storm COUNT SEED] FILE|DIRECTORY...
 *
 * With --storm, COUNT more inputs are made from those by chance, seeded: octets changed, put in,
 * taken out, doubled, cut off, and pieces of other inputs put in between. Under a sanitizer the
 * memory in use at the end must be what it was after a quarter of them. */
#include <ftw.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"

#define GROWN_MAX_OCTETS (4u << 20)
#define INPUT_MAX 65536u
#define KEPT_MAX 20000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#define memory_in_use() __sanitizer_get_current_allocated_bytes()
#else
#define memory_in_use() ((size_t)0)
#endif

struct input {
    uint8_t *data;
    size_t len;
};

static unsigned long inputs;
static bool keeps; /* the inputs, for the storm */
static struct input *kept;
static size_t kept_count, kept_cap;

/* In memory of its own size, so that the sanitizer sees a read past the end. */
static void run_input(const uint8_t *data, size_t len)
{
    uint8_t *exact = xmemdup(data, len);

    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    inputs++;
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *data = NULL;
    size_t cap = 0;
    size_t len = 0;

    if (!f) {
        perror(path);
        exit(1);
    }
    do {
        data = xgrow(data, &cap, len + 4096, 1);
        len += fread(data + len, 1, cap - len, f);
    } while (!feof(f) && !ferror(f));
    if (ferror(f)) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    (void)fclose(f);
    /* Flushed before the run, so that an abort leaves the name of its input behind. */
    (void)printf("%s\n", path);
    (void)fflush(stdout);
    run_input(data, len);
    if (keeps && kept_count < KEPT_MAX && len <= INPUT_MAX / 2) {
        kept = xgrow(kept, &kept_cap, kept_count + 1, sizeof(*kept));
        kept[kept_count++] = (struct input){xmemdup(data, len), len};
    }
    free(data);
}

static int visit(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)ftw;
    if (flag == FTW_F && S_ISREG(st->st_mode))
        run_file(path);
    return 0;
}

/* ---- The storm ---- */

static uint64_t random_state;

/* xorshift64*: the same storm on every machine. */
static uint32_t chance(uint32_t below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 32) % below;
}

static size_t place(size_t len)
{
    return len ? chance((uint32_t)len) : 0;
}

static size_t put_in(uint8_t *buf, size_t len, size_t at, const uint8_t *what, size_t n)
{
    if (len + n > INPUT_MAX)
        return len;
    memmove(buf + at + n, buf + at, len - at);
    memcpy(buf + at, what, n);
    return len + n;
}

static size_t change(uint8_t *buf, size_t len)
{
    static const uint8_t odd[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
    size_t at = place(len);
    size_t n = 1 + place(len - at < 64 ? len - at : 64);
    uint8_t copy[65];

    if (len == 0)
        return put_in(buf, 0, 0, odd, 1 + chance(sizeof(odd)));
    if (n > len - at)
        n = len - at;
    switch (chance(8)) {
    case 0:
        buf[at] ^= (uint8_t)(1u << chance(8));
        return len;
    case 1:
        buf[at] = odd[chance(sizeof(odd))];
        return len;
    case 2:
        buf[at] = (uint8_t)chance(256);
        return len;
    case 3: /* a number of two octets, a little more or less */
        if (at + 1 < len)
            buf[at + 1] = (uint8_t)(buf[at + 1] + chance(9) - 4);
        return len;
    case 4:
        memmove(buf + at, buf + at + n, len - at - n);
        return len - n;
    case 5:
        memcpy(copy, buf + at, n);
        return put_in(buf, len, place(len), copy, n);
    case 6:
        return at; /* cut off */
    default: {
        const struct input *other = &kept[chance((uint32_t)kept_count)];
        size_t from = place(other->len);

        n = 1 + place(other->len - from);
        return from + n <= other->len ? put_in(buf, len, at, other->data + from, n) : len;
    }
    }
}

static void storm(unsigned long count)
{
    uint8_t *buf = xcalloc(INPUT_MAX, 1);
    size_t before = 0;
    size_t after;

    for (unsigned long i = 0; i < count; i++) {
        const struct input *from = &kept[chance((uint32_t)kept_count)];
        size_t len = from->len;

        if (i == count / 4)
            before = memory_in_use();
        memcpy(buf, from->data, len);
        for (unsigned n = 1 + chance(6); n > 0; n--)
            len = change(buf, len);
        run_input(buf, len);
    }
    free(buf);
    after = memory_in_use();
    if (after > before + GROWN_MAX_OCTETS) {
        (void)fprintf(stderr, "memory in use has grown from %zu to %zu octets\n", before, after);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    unsigned long count = 0;
    int i = 1;

    if (argc > 3 && strcmp(argv[1], "--storm") == 0) {
        count = strtoul(argv[2], NULL, 10);
        random_state = strtoull(argv[3], NULL, 10) * 2 + 1;
        keeps = true;
        i = 4;
    }
    for (; i < argc; i++) {
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0) {
            perror(argv[i]);
            return 1;
        }
    }
    if (kept_count > 0)
        storm(count);
    while (kept_count > 0)
        free(kept[--kept_count].data);
    free(kept);
    (void)printf("%lu inputs run\n", inputs);
    return 0;
}
