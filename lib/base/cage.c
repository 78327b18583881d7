#include "lib/base/cage.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cage_internal.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

void cage_init(struct cage *c, const char *program, enum cage_role role)
{
    static const char *const runtime[] = {"/proc", "/sys", "/usr", "/lib", "/lib64"};
    char exe[PATH_MAX];

    *c = (struct cage){.program = program, .role = role, .sanitized = SANITIZED};
    /* What the report of a fault is made from. */
    for (size_t i = 0; c->sanitized && i < sizeof(runtime) / sizeof(runtime[0]); i++)
        cage_allow(c, runtime[i], CAGE_READ);
    if (c->sanitized && realpath("/proc/self/exe", exe))
        cage_allow(c, exe, CAGE_READ);
}

void cage_done(struct cage *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->paths[i].path);
    free(c->paths);
    *c = (struct cage){.program = c->program, .role = c->role};
}

void cage_allow(struct cage *c, const char *path, enum cage_access access)
{
    c->paths = xgrow(c->paths, &c->cap, c->n + 1, sizeof(*c->paths));
    c->paths[c->n++] = (struct cage_path){.path = xstrdup(path), .access = access};
}

/* The root directory would be everything: then the file alone, as it is now. */
static void allow_directory_of(struct cage *c, const char *file)
{
    char *copy = xstrdup(file);
    const char *dir = dirname(copy);

    cage_allow(c, strcmp(dir, "/") == 0 ? file : dir, CAGE_READ);
    free(copy);
}

void cage_allow_file(struct cage *c, const char *file)
{
    char real[PATH_MAX];

    if (!file || !file[0])
        return;
    allow_directory_of(c, file);
    if (realpath(file, real))
        allow_directory_of(c, real);
}

/* ---- Users ---- */

static enum err find_group(gid_t *out, const char *name, const struct passwd *user,
                           struct errinfo *e)
{
    const struct group *g;

    *out = user->pw_gid;
    if (!name[0])
        return OK;
    if (!(g = getgrnam(name)))
        return err_set(ERR_NOT_FOUND, e, "there is no group '%s'", name);
    *out = g->gr_gid;
    return OK;
}

enum err become_user(const char *name, const char *group, struct errinfo *e)
{
    const struct passwd *user;
    gid_t gid;
    uid_t uid;
    enum err rc;

    if (!name[0] || geteuid() != 0)
        return OK;
    if (!(user = getpwnam(name)))
        return err_set(ERR_NOT_FOUND, e, "there is no user '%s'", name);
    uid = user->pw_uid;
    if ((rc = find_group(&gid, group, user, e)))
        return rc;
    if (initgroups(name, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return err_sys(errno, e, "cannot become user '%s'", name);
    if (uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
        return err_set(ERR_DENIED, e, "root's rights did not go away");
    log_info(say("became another user"), kv_str("user", name), kv_u64("uid", uid),
             kv_u64("gid", gid));
    return OK;
}

/* ---- Privileges ---- */

#define CAPABILITY(n) (UINT64_C(1) << (n))

/* As root, syncd gives its control socket to a group, and reads keys that may be another user's. */
static uint64_t capabilities_needed(enum cage_role role)
{
    if (role == CAGE_ANSWERS || geteuid() != 0)
        return 0;
    return CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER);
}

static bool has_capability(const struct __user_cap_data_struct now[2], unsigned n)
{
    return now[n / 32].effective & 1u << n % 32;
}

static enum err drop_capabilities(bool *kept, const struct cage *c, struct errinfo *e)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2] = {{0}}, then[2] = {{0}};
    uint64_t need = capabilities_needed(c->role);

    if (syscall(SYS_capget, &header, now) != 0)
        return err_sys(errno, e, "reading capabilities");
    for (unsigned i = 0; i < 2; i++) {
        then[i].permitted = now[i].permitted & (uint32_t)(need >> 32 * i);
        then[i].effective = then[i].permitted;
        *kept = *kept || then[i].permitted;
    }
    /* The bounding set, so that no program could bring them back; who may not change it has no
     * such way, after NO_NEW_PRIVS. */
    for (unsigned n = 0; has_capability(now, CAP_SETPCAP) && n < 64; n++) {
        if (!(need & CAPABILITY(n)) && prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 1)
            (void)prctl(PR_CAPBSET_DROP, n, 0, 0, 0);
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (memcmp(now, then, sizeof(now)) != 0 && syscall(SYS_capset, &header, then) != 0)
        return err_sys(errno, e, "giving up capabilities");
    return OK;
}

/* ---- All of it ---- */

static void note_missing(struct cage_report *r, const char *what, const char *why)
{
    size_t at = strlen(r->missing);

    (void)snprintf(r->missing + at, sizeof(r->missing) - at, "%s%s: %s", at ? "; " : "", what, why);
}

/* Libraries that read or load something at their first use do it now. */
static void warm_up(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    (void)getpwuid(geteuid());
    (void)getgrgid(getegid());
}

enum err cage_enter(struct cage_report *out, struct cage *c, struct errinfo *e)
{
    struct cage_report r = {.landlock_abi = 0};
    char why[64] = "";
    enum err rc;

    warm_up();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(errno, e, "NO_NEW_PRIVS");
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* keys stay out of core dumps */
    if ((rc = drop_capabilities(&r.capabilities_kept, c, e)) ||
        (rc = landlock_enter(&r.landlock_abi, why, r.not_there_yet, c, e)))
        return rc;
    if (why[0])
        note_missing(&r, "Landlock", why);
    why[0] = '\0';
    if ((rc = calls_enter(&r.seccomp, why, c, e)))
        return rc;
    if (why[0])
        note_missing(&r, "seccomp", why);
    c->closed = r.landlock_abi > 0;
    *out = r;
    return OK;
}

static bool is_below(const char *file, const char *path)
{
    char real[PATH_MAX];
    size_t n;

    if (!realpath(path, real))
        return false;
    n = strlen(real);
    return strncmp(file, real, n) == 0 && (file[n] == '/' || file[n] == '\0');
}

enum err cage_explain(enum err rc, const struct cage *c, const char *file, struct errinfo *e)
{
    char real[PATH_MAX];

    if (!c->closed || !file || !realpath(file, real)) /* links can be followed, as ever */
        return rc;
    for (size_t i = 0; i < c->n; i++) {
        if (is_below(real, c->paths[i].path))
            return rc;
    }
    return err_wrap(rc, e, "%s is where the sandbox does not reach before a restart", file);
}

void cage_text(char *out, size_t size, const struct cage_report *r)
{
    if (!r)
        (void)snprintf(out, size, "off");
    else if (!r->landlock_abi)
        (void)snprintf(out, size, "%s", r->seccomp ? "seccomp" : "no capabilities");
    else
        (void)snprintf(out, size, "%sLandlock %d", r->seccomp ? "seccomp, " : "", r->landlock_abi);
}

void cage_log(const struct cage_report *r)
{
    log_info(say("the cage is closed"), kv_bool("capabilities", r->capabilities_kept),
             kv_bool("seccomp", r->seccomp), kv_i64("landlock", r->landlock_abi),
             kv_u64("uid", geteuid()), kv_u64("gid", getegid()));
    if (r->missing[0])
        log_warning(say("the kernel lacks a part of the cage; the rest holds"),
                    kv_str("missing", r->missing));
    if (r->not_there_yet[0])
        log_warning(say("a directory is not there yet, so that the one above it may be read"),
                    kv_str("path", r->not_there_yet));
}
