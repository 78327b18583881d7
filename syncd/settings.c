#include "syncd/settings.h"

#include <sys/stat.h>

#include "lib/base/log.h"
#include "lib/net/config_check.h"
#include "lib/net/tls_http.h"

/* The file that is read for it; NULL: none. */
static const char *authorities_of(const struct config_tls *t)
{
    if (!t->on || !t->hostname[0])
        return NULL;
    return t->ca[0] ? t->ca : tls_system_authorities();
}

static void explain_tls(enum err rc, const struct cage *cage, const struct config_tls *t,
                        struct errinfo *e)
{
    const char *const files[] = {authorities_of(t), t->certificate, t->key};

    for (size_t i = 0; t->on && i < sizeof(files) / sizeof(files[0]); i++) {
        (void)!cage_explain(rc, cage, files[i], e); /* gives rc back */
    }
}

static enum err check_api(const struct config *c, struct errinfo *e)
{
    enum err rc = OK;

    if (c->api_listen_count)
        rc = tls_http_check(c->api_certificate, c->api_certificate_key, e);
    return rc ? err_wrap(rc, e, "%s: api", c->path) : OK;
}

enum err settings_load(struct config **config, struct keyring **keys, const char *path,
                       const struct cage *cage, struct errinfo *e)
{
    struct config *c = NULL;
    enum err rc;

    if ((rc = config_load(&c, path, e)))
        return rc;
    if ((rc = config_check(c, e)) || (rc = check_api(c, e)) || (rc = keyring_load(keys, c, e))) {
        for (size_t i = 0; i < c->key_count; i++)
            (void)!cage_explain(rc, cage, c->keys[i].secret_file, e); /* gives rc back */
        for (size_t i = 0; i < c->primary_count; i++)
            explain_tls(rc, cage, &c->primaries[i].tls, e);
        (void)!cage_explain(rc, cage, c->api_certificate, e);
        (void)!cage_explain(rc, cage, c->api_certificate_key, e);
        config_unref(c);
        return rc;
    }
    *config = c;
    return OK;
}

/* A link is there to be changed: what lies beside the directory that it leads to is next. */
static void allow_directory(struct cage *cage, const char *path)
{
    struct stat st;

    cage_allow(cage, path, CAGE_READ);
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        cage_allow_file(cage, path);
}

static void allow_files(struct cage *cage, const struct config *c)
{
    cage_allow(cage, c->data_dir, CAGE_WRITE);
    cage_allow(cage, c->run_dir, CAGE_WRITE);
    cage_allow(cage, "/etc", CAGE_READ);
    cage_allow_file(cage, "/etc/resolv.conf"); /* often a link to somewhere else */
    cage_allow_file(cage, c->path);
    for (size_t i = 0; i < c->key_count; i++)
        cage_allow_file(cage, c->keys[i].secret_file);
    for (size_t i = 0; i < c->primary_count; i++) {
        const struct config_tls *t = &c->primaries[i].tls;

        cage_allow_file(cage, authorities_of(t));
        cage_allow_file(cage, t->certificate);
        cage_allow_file(cage, t->key);
    }
    cage_allow_file(cage, c->api_certificate);
    cage_allow_file(cage, c->api_certificate_key);
    for (size_t i = 0; i < c->directory_count; i++)
        allow_directory(cage, c->directories[i].path);
}

enum err settings_cage(struct cage *cage, char *text, size_t size, const struct config *c,
                       struct errinfo *e)
{
    struct cage_report report;
    enum err rc;

    cage_init(cage, "syncd", CAGE_REPLICATES);
    cage_text(text, size, NULL);
    if (!c->sandbox) {
        log_warning(say("the cage is open: sandbox is off"));
        return OK;
    }
    allow_files(cage, c);
    if ((rc = cage_enter(&report, cage, e)))
        return rc;
    cage_log(&report);
    cage_text(text, size, &report);
    return OK;
}
