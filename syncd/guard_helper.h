/* The process that runs guard commands: programs of the operator's that judge new versions
 * (helper.h says why it is one of its own). syncd can say "ask this command, which some section of
 * the configuration has, about the files in directory ID"; what the configuration does not have is
 * not run.
 *
 * A command runs as guard-user if syncd is root, without capabilities and new privileges, in a
 * process group of its own that ends with it, with a clean environment and a time limit:
 *   ZONE, OLD_SERIAL (empty: no version is there), NEW_SERIAL,
 *   OLD_FILE, NEW_FILE: whole zones, a record a line; DIFF_FILE: "-RECORD" and "+RECORD".
 */
#ifndef ZL_SYNCD_GUARD_HELPER_H
#define ZL_SYNCD_GUARD_HELPER_H

#include "lib/base/config.h"
#include "lib/dns/name.h"
#include "syncd/helper.h"

#define GUARD_ID_MAX 24 /* octets of an id as text */

enum guard_op { GUARD_CHECK = 1, GUARD_CANCEL, GUARD_RELOAD };

struct guard_request {
    uint32_t op;
    uint32_t time_s;
    uint64_t id; /* of what it is about, and of its directory: DATA-DIR/guard/ID */
    char zone[NAME_TEXT_MAX];
    char old_serial[12], new_serial[12];
    char command[CONFIG_COMMAND_MAX + 1]; /* config_command_text */
};

struct guard_answer {
    uint64_t id;
    uint32_t kind; /* enum helper_end_kind */
    int32_t code;
    char text[200]; /* the first line of what it said, printable ASCII; or why it did not start */
};

/* Starts it; *fd is syncd's end of the socket, non-blocking. Before threads and the cage. */
MUST_USE enum err guard_helper_start(int *fd, const char *config_path, struct errinfo *e);
/* What `syncd --guard-helper CONFIG` is. */
int guard_helper_main(const char *config_path);

/* DATA-DIR/guard/ID; on the heap. */
char *guard_directory(const char *data_dir, uint64_t id);
#define GUARD_OLD "old.zone"
#define GUARD_NEW "new.zone"
#define GUARD_DIFF "diff"

/* The first line of `text` that has something on it, made printable: other octets as \DDD. */
void guard_first_line(char *out, size_t room, const char *text, size_t len);

#endif
