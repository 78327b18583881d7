#include "lib/dns/anchor.h"

#include <string.h>
#include <strings.h>

#include "lib/dns/dnssec.h"

#define BLANKS " \t"

/* The next word; its length. */
static size_t next_word(const char **at)
{
    *at += strspn(*at, BLANKS);
    return strcspn(*at, BLANKS);
}

static bool is_number(const char *word, size_t n)
{
    return n > 0 && strspn(word, "0123456789") >= n;
}

static const char *what_is_wrong(uint16_t type, const uint8_t *rdata, size_t len)
{
    struct dnskey k;
    bool usable;

    if (type == RR_DS) {
        if (len <= 4 || !dnssec_algorithm_is_known(rdata[2]))
            return "its algorithm is not known here";
        return dnssec_digest_is_known(rdata[3]) ? NULL : "its digest is of a type not known here";
    }
    if (!dnskey_read(&k, rdata, len) || !dnssec_algorithm_is_known(k.algorithm))
        return "its algorithm is not known here";
    usable = k.key != NULL;
    dnskey_done(&k);
    if (!usable)
        return "its key is not well-formed";
    return dnskey_signs_zones(&k) ? NULL : "its key may not sign zones";
}

enum err anchor_from_text(uint8_t owner[NAME_MAX_OCTETS], uint16_t *type, struct buf *rdata,
                          const char *text, struct errinfo *e)
{
    const char *at = text;
    size_t before = rdata->len, n = next_word(&at);
    const char *wrong;
    enum err rc;

    if ((rc = name_from_text(owner, at, n, NULL, e)))
        return rc;
    at += n;
    if (n = next_word(&at), is_number(at, n)) {
        at += n;
        n = next_word(&at);
    }
    if (n == 2 && strncasecmp(at, "IN", 2) == 0) {
        at += n;
        n = next_word(&at);
    }
    if (!type_from_text(type, at, n) || (*type != RR_DS && *type != RR_DNSKEY))
        return err_set(ERR_FORMAT, e, "should be NAME DS ... or NAME DNSKEY ...");
    at += n;
    if ((rc = rdata_from_text(rdata, *type, at, strlen(at), owner, e)))
        return rc;
    wrong = what_is_wrong(*type, rdata->data + before, rdata->len - before);
    if (!wrong)
        return OK;
    rdata->len = before;
    return err_set(ERR_FORMAT, e, "%s", wrong);
}
