#include "authd/privileges.h"

#include <unistd.h>

#include "lib/base/log.h"

/* What is opened after the start: the store, and what a reload reads again. */
static void allow_paths(struct cage *cage, const struct config *c)
{
    cage_allow(cage, c->data_dir, CAGE_READ);
    cage_allow_file(cage, c->path);
    cage_allow_file(cage, c->tls_certificate);
    cage_allow_file(cage, c->tls_key);
    cage_allow_file(cage, c->tls_client_ca);
    cage_allow_file(cage, c->cookie_secret_file);
}

enum err privileges_explain(enum err rc, const struct cage *cage, const struct config *c,
                            struct errinfo *e)
{
    rc = cage_explain(rc, cage, c->tls_certificate, e);
    rc = cage_explain(rc, cage, c->tls_client_ca, e);
    rc = cage_explain(rc, cage, c->cookie_secret_file, e);
    return cage_explain(rc, cage, c->tls_key, e);
}

enum err privileges_drop(struct cage *cage, const struct config *c, struct errinfo *e)
{
    struct cage_report report;
    enum err rc = become_user(c->authd_user, c->authd_group, e);

    cage_init(cage, "authd", CAGE_ANSWERS);
    if (rc)
        return rc;
    if (geteuid() == 0)
        log_warning(say("authd runs as root: set user and group in section authd"));
    if (!c->sandbox) {
        log_warning(say("the cage is open: sandbox is off"));
        return OK;
    }
    allow_paths(cage, c);
    if ((rc = cage_enter(&report, cage, e)) == OK)
        cage_log(&report);
    return rc;
}
