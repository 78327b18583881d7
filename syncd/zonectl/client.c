#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/api_key.h"
#include "lib/base/mem.h"
#include "lib/base/secret_file.h"
#include "syncd/zonectl/zonectl.h"

#define PATH "/api/v1/servers/localhost"
#define LOCAL "http://localhost"
#define CONNECT_S 15L
#define REPLY_MAX ((size_t)4 << 30)

void client_escape(struct buf *out, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (strchr(plain, c)) {
            buf_u8(out, c);
        } else {
            buf_u8(out, '%');
            buf_u8(out, (uint8_t)hex[c >> 4]);
            buf_u8(out, (uint8_t)hex[c & 15]);
        }
    }
}

void reply_free(struct reply *r)
{
    buf_free(&r->body);
    json_decref(r->json);
    r->json = NULL;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct reply *r = ctx;

    if (r->body.len + size * n > REPLY_MAX)
        return 0;
    buf_put(&r->body, p, size * n);
    return size * n;
}

/* "X-API-Key: KEY"; heap memory. NULL: the file has none, which was said. */
static char *key_header(const char *file)
{
    struct errinfo e = {0};
    char text[API_KEY_MAX + 2];
    size_t len = 0;
    char *header = NULL;
    enum err rc = secret_file_read(text, sizeof(text) - 1, &len, file, true, &e);

    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    if (rc == OK && (!len || len >= API_KEY_MAX || memchr(text, '\n', len)))
        rc = err_set(ERR_FORMAT, &e, "should have a key in it, on a line of its own");
    if (rc)
        (void)fprintf(stderr, "zonectl: --key-file %s: %s\n", file, e.text);
    else
        header = xasprintf("X-API-Key: %.*s", (int)len, text);
    explicit_bzero(text, sizeof(text));
    return header;
}

/* Where it goes; false: not anywhere, which was said. The list is the caller's. */
static bool set_way(CURL *curl, struct curl_slist **headers, const struct options *opt)
{
    char *header;

    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (!opt->url) {
        (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, opt->socket);
        return true;
    }
    header = opt->key_file ? key_header(opt->key_file) : NULL;
    if (!opt->key_file)
        (void)fprintf(stderr, "zonectl: %s needs --key-file\n", opt->url);
    if (!header)
        return false;
    *headers = curl_slist_append(NULL, header);
    explicit_bzero(header, strlen(header));
    free(header);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    if (opt->ca)
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, opt->ca);
    return true;
}

static CURLcode perform(CURL *curl, struct reply *r, const struct options *opt, const char *method,
                        const char *path, const void *body, size_t body_len)
{
    struct buf url = BUF_INIT;
    CURLcode rc;

    buf_str(&url, opt->url ? opt->url : LOCAL);
    while (url.len && url.data[url.len - 1] == '/')
        url.len--;
    buf_str(&url, PATH);
    buf_str(&url, path);
    (void)curl_easy_setopt(curl, CURLOPT_URL, buf_cstr(&url));
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* "." is the root zone */
    if (body) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_len);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
    rc = curl_easy_perform(curl);
    if (rc == CURLE_OK)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &r->status);
    buf_free(&url);
    return rc;
}

/* A request that was not answered. */
static int unreachable(const struct options *opt, CURLcode rc)
{
    if (opt->url)
        (void)fprintf(stderr, "zonectl: cannot talk to syncd at %s: %s\n", opt->url,
                      curl_easy_strerror(rc));
    else
        (void)fprintf(stderr,
                      "zonectl: cannot talk to syncd at %s: %s\n"
                      "zonectl: is syncd running, and is this its socket? (--config FILE, "
                      "--run-dir DIR or --socket PATH)\n",
                      opt->socket, curl_easy_strerror(rc));
    return EXIT_UNREACHABLE;
}

static int refused(const struct reply *r, const struct options *opt)
{
    const char *why = json_string_value(json_object_get(r->json, "error"));

    if (opt->json && r->json) {
        (void)json_dumpf(r->json, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    }
    (void)fputs("zonectl: ", stderr);
    print_safe(stderr, why ? why : "syncd refused without saying why");
    (void)fputc('\n', stderr);
    return EXIT_REFUSED;
}

int client_request(struct reply *out, const struct options *opt, const char *method,
                   const char *path, const void *body, size_t body_len)
{
    struct reply r = {.status = 0};
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    CURLcode rc;

    if (!curl) {
        (void)fputs("zonectl: cannot start the HTTP client\n", stderr);
        return EXIT_UNREACHABLE;
    }
    if (!set_way(curl, &headers, opt)) {
        curl_easy_cleanup(curl);
        return EXIT_USAGE;
    }
    rc = perform(curl, &r, opt, method, path, body, body_len);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    if (rc != CURLE_OK) {
        reply_free(&r);
        return unreachable(opt, rc);
    }
    if (r.body.len && (r.body.data[0] == '{' || r.body.data[0] == '['))
        r.json = json_loadb((const char *)r.body.data, r.body.len, 0, NULL);
    if (r.status == 404 && opt->may_miss) {
        reply_free(&r);
        out->status = 404;
        return EXIT_REFUSED;
    }
    if (r.status >= 400) {
        int code = refused(&r, opt);
        reply_free(&r);
        return code;
    }
    *out = r;
    return EXIT_DONE;
}
