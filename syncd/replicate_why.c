/* What would a NOTIFY do? The whole chain of rules, each with what it found, and nothing is
 * changed. The rules have the numbers under which docs/operator.md lists them.
 */
#include "syncd/replicate_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

/* One question on its way. */
struct why {
    struct replicator *replicator;
    struct announcement announcement;
    int primary; /* who is asked, index into config.primaries */
    void *nsquery;
    replicator_why_fn *done;
    void *ctx;
    struct why_report report;
    struct why *next;
};

__attribute__((format(printf, 5, 6))) static void
say_step(struct why *w, const char *rule, const char *what, bool passed, const char *fmt, ...)
{
    struct why_step *s = &w->report.steps[w->report.count];
    va_list ap;

    if (w->report.count == WHY_STEPS_MAX)
        abort(); /* the chain is shorter */
    w->report.count++;
    *s = (struct why_step){.rule = rule, .what = what, .passed = passed};
    va_start(ap, fmt);
    (void)vsnprintf(s->text, sizeof(s->text), fmt, ap);
    va_end(ap);
}

static void finish(struct why *w, enum why_verdict verdict)
{
    struct why **at = &w->replicator->whys;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    w->report.verdict = verdict;
    w->done(w->ctx, &w->report);
    free(w);
}

static struct access_client client_of(const struct why *w)
{
    return (struct access_client){.source = w->announcement.source,
                                  .transport = w->announcement.transport,
                                  .key = w->announcement.key,
                                  .identity = w->announcement.identity};
}

/* ---- A zone that is here (rule 5) ---- */

static void judge_known(struct why *w, const struct zone_entry *z)
{
    const struct config *c = w->replicator->config;
    struct access_client who = client_of(w);
    struct errinfo e = {{0}};
    int primary;

    say_step(w, "4", "zone", true, "the zone is here already: it can be refreshed, not taken over");
    if (!z->config) {
        say_step(w, "5", "primary", false, "the zone has no primaries here");
        finish(w, WHY_REFUSED);
    } else if (access_may(c, z->config, ACCESS_NOTIFY, &who, &primary, &e) != OK) {
        say_step(w, "5", "primary", false, "%s", e.text);
        finish(w, WHY_REFUSED);
    } else {
        say_step(w, "5", "primary", true, "it speaks as %s",
                 primary < 0 ? "holder of a key of the zone's notify-keys"
                             : replicate_primary(z, (unsigned)primary)->name);
        finish(w, WHY_REFRESH);
    }
}

/* ---- A zone that may appear (rule 4) ---- */

static void list_names(char *out, size_t room, const struct nsquery_report *report)
{
    size_t used = 0;

    out[0] = 0;
    for (size_t i = 0; i < report->count && used < room; i++) {
        char name[NAME_TEXT_MAX];

        (void)name_to_text(name, report->names[i]);
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? ", " : "", name);
    }
}

static void list_primaries(char *out, size_t room, const struct config *c,
                           const struct config_zone *z)
{
    size_t used = 0;

    out[0] = 0;
    for (size_t i = 0; i < z->primary_count && used < room; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? ", " : "",
                                 c->primaries[z->primaries[i]].name);
}

static void judge_answer(struct why *w, const struct nsquery_report *report)
{
    const struct replicator *r = w->replicator;
    const struct config *c = r->config;
    const struct config_autoprimary *a;
    struct errinfo e = {{0}};
    char list[ERR_TEXT_MAX];
    int section = 0;

    if (!report->ok) {
        say_step(w, "4.1", "question", false, "%s", report->error.text);
        finish(w, WHY_REFUSED);
        return;
    }
    list_names(list, sizeof(list), report);
    say_step(w, "4.1", "question", true, "it is authoritative; NS: %s", list);
    if (autoprimary_choose(c, &w->announcement, report->names, report->count, &section, NULL, &e) !=
        OK) {
        say_step(w, "4.3", "nameserver", false, "%s", e.text);
        finish(w, WHY_REFUSED);
        return;
    }
    a = &c->autoprimaries[section];
    say_step(w, "4.3", "nameserver", true, "account '%s' (%s) takes it", a->account,
             a->added ? "added by an operator" : "of the configuration");
    if (replicate_section_room(r, section, &e) != OK) {
        say_step(w, "4.4", "limits", false, "%s", e.text);
        finish(w, WHY_REFUSED);
        return;
    }
    say_step(w, "4.4", "limits", true, "%u of %u zones, %u of %u new ones in this hour",
             (unsigned)r->sections[section].zones, (unsigned)a->zones_max,
             (unsigned)r->sections[section].in_hour, (unsigned)a->zones_per_hour);
    list_primaries(list, sizeof(list), c, &a->zone);
    say_step(w, "4.5", "zone", true, "it would appear, with the primaries %s", list);
    (void)snprintf(w->report.account, sizeof(w->report.account), "%s", a->account);
    finish(w, WHY_PROVISION);
}

static void on_nameservers(void *ctx, const struct nsquery_report *report)
{
    struct why *w = ctx;

    w->nsquery = NULL;
    judge_answer(w, report);
}

static void ask(struct why *w)
{
    struct replicator *r = w->replicator;
    const struct config_primary *primary = &r->config->primaries[w->primary];
    struct nsquery_spec spec = {.address = primary->address,
                                .source = primary->source,
                                .key = keyring_get(r->keys, primary->key),
                                .tls = replicate_tls(r, primary),
                                .timeout_ms = 2 * r->config->probe_timeout_ms};

    (void)name_copy(spec.zone, w->announcement.zone);
    w->nsquery = r->ops.nsquery(r->ops.ctx, &spec, on_nameservers, w);
}

static void judge_unknown(struct why *w)
{
    static const char *const rules[] = {"2", "3", "4", "4.3"};
    static const char *const whats[] = {"sender", "signature", "suffix", "nameserver"};
    const struct config *c = w->replicator->config;
    enum autoprimary_rule rule = AUTOPRIMARY_NAMESERVER;
    struct errinfo e = {{0}};
    enum err rc = autoprimary_may(c, &w->announcement, &w->primary, &rule, &e);

    if (rc != OK && rule == AUTOPRIMARY_SENDER) {
        say_step(w, rules[0], whats[0], false, "%s", e.text);
        finish(w, WHY_REFUSED);
        return;
    }
    say_step(w, rules[0], whats[0], true, "it is the address of an autoprimary");
    if (rc != OK && rule == AUTOPRIMARY_SIGNATURE) {
        say_step(w, rules[1], whats[1], false, "%s", e.text);
        finish(w, WHY_REFUSED);
        return;
    }
    say_step(w, rules[1], whats[1], true, "%s",
             rc == OK && c->primaries[w->primary].key < 0
                 ? "this autoprimary has no key, so none is asked for"
                 : "it is signed with the autoprimary's key");
    say_step(w, "4", "zone", true, "the zone is not here");
    if (rc != OK) {
        say_step(w, rules[rule], whats[rule], false, "%s", e.text);
        finish(w, WHY_REFUSED);
        return;
    }
    say_step(w, rules[2], whats[2], true,
             "the zone is at or below an allowed suffix, if there are any");
    ask(w);
}

void replicator_why(struct replicator *r, const uint8_t *zone, const struct addr *source, int key,
                    replicator_why_fn *done, void *ctx)
{
    struct why *w = xcalloc(1, sizeof(*w));
    const struct zone_entry *z;

    w->replicator = r;
    w->announcement = (struct announcement){.source = *source, .key = key, .transport = HO_UDP};
    (void)name_fold(w->announcement.zone, zone);
    w->done = done;
    w->ctx = ctx;
    w->next = r->whys;
    r->whys = w;
    say_step(w, "1", "role", true, "NOTIFYs are taken; %zu autoprimaries may bring zones",
             r->config->autoprimary_count);
    z = replicate_find(r, w->announcement.zone);
    if (z && z->row.id && !z->row.removed)
        judge_known(w, z);
    else
        judge_unknown(w);
}

void replicate_why_end(struct replicator *r, const char *reason)
{
    while (r->whys) {
        struct why *w = r->whys;

        if (w->nsquery)
            r->ops.nsquery_cancel(r->ops.ctx, w->nsquery);
        say_step(w, "4.1", "question", false, "%s", reason);
        finish(w, WHY_REFUSED);
    }
}

void replicator_autoprimaries(const struct replicator *r, replicator_autoprimary_fn *f, void *ctx)
{
    for (size_t i = 0; i < r->config->autoprimary_count; i++) {
        const struct section_state *s = &r->sections[i];
        bool this_hour = replicate_now(r).ms - s->hour.ms < 3600000;

        f(ctx, r->config, &r->config->autoprimaries[i], s->zones, this_hour ? s->in_hour : 0);
    }
}
