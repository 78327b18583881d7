#include "tests/tools/answer_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

struct answer_world answer_world_of(const char *const (*zones)[2], size_t n)
{
    struct answer_world w = {.db = text_zonedb(zones, n)};

    w.a = answerer_new(w.db);
    return w;
}

struct answer_world answer_world_of_text(const char *text)
{
    const char *const zones[][2] = {{"example.", text}};

    return answer_world_of(zones, 1);
}

void answer_world_done(struct answer_world *w)
{
    free(w->a);
    zonedb_free(w->db);
}

void answer_check(struct answer_world *w, const struct ask *q, const char *want)
{
    char *got = ask_text(w->a, q);

    if (strcmp(got, want) != 0)
        fail_msg("%s %s\ngot:\n%swanted:\n%s", q->qname, q->qtype, got, want);
    free(got);
}

void answer_check_all(struct answer_world *w, const struct answer_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        answer_check(w,
                     &(struct ask){.qname = cases[i].qname, .qtype = cases[i].qtype, .tcp = true},
                     cases[i].want);
}

/* The owner of a line "ns OWNER TTL IN NSEC ...", as answer_proofs says it; false: another type. */
static bool proof_of_line(char *out, size_t size, const char *line, size_t len)
{
    int label = (int)strcspn(line + 3, " ") - (int)strlen(".example.");
    bool hashed = false;
    bool found = false;

    for (const char *p = line; !found && p < line + len - 9; p++) {
        hashed = strncmp(p, " IN NSEC3 ", 10) == 0;
        found = hashed || strncmp(p, " IN NSEC ", 9) == 0;
    }
    if (!found)
        return false;
    if (!hashed && strncasecmp(line + 3, "example. ", 9) == 0)
        (void)snprintf(out, size, " @");
    else
        (void)snprintf(out, size, " %.*s", hashed ? 4 : label, line + 3);
    return true;
}

void answer_proofs(char *out, size_t size, const char *answer)
{
    size_t pos = strcspn(answer, " \n");

    (void)snprintf(out, size, "%.*s", (int)pos, answer);
    for (const char *line = answer; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "ns ", 3) == 0 &&
            proof_of_line(out + pos, size - pos, line, strcspn(line, "\n")))
            pos += strlen(out + pos);
    }
}

void answer_check_proofs(struct answer_world *w, const struct answer_case *c)
{
    struct ask q = {
        .qname = c->qname, .qtype = c->qtype, .tcp = true, .edns = true, .dnssec = true};
    char *text = ask_text(w->a, &q);
    char got[512];

    answer_proofs(got, sizeof(got), text);
    if (strcmp(got, c->want) != 0)
        fail_msg("%s %s\ngot %s, wanted %s:\n%s", c->qname, c->qtype, got, c->want, text);
    free(text);
    q.dnssec = false;
    text = ask_text(w->a, &q);
    if (strcmp(c->qtype, "NSEC") != 0 && (strstr(text, " IN NSEC") || strstr(text, " IN RRSIG")))
        fail_msg("%s %s without DO\n%s", c->qname, c->qtype, text);
    free(text);
}

void answer_check_all_proofs(const char *zone, const struct answer_case *cases, size_t n)
{
    struct answer_world w = answer_world_of_text(zone);

    for (size_t i = 0; i < n; i++)
        answer_check_proofs(&w, &cases[i]);
    answer_world_done(&w);
}
