/* Runs a fuzz target over files, and over all files below directories, without a fuzzer: the seeds
 * and past finds are tests. Prints "N inputs run"; a target that finds a fault aborts. */
#include <ftw.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long inputs;

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *data = NULL;
    size_t cap = 0;
    size_t len = 0;
    uint8_t *exact;

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
    exact = xmemdup(data, len); /* so that the sanitizer sees a read past the end */
    free(data);
    /* Flushed before the run, so that an abort leaves the name of its input behind. */
    (void)printf("%s\n", path);
    (void)fflush(stdout);
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    inputs++;
}

static int visit(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)ftw;
    if (flag == FTW_F && S_ISREG(st->st_mode))
        run_file(path);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0) {
            perror(argv[i]);
            return 1;
        }
    }
    (void)printf("%lu inputs run\n", inputs);
    return 0;
}
