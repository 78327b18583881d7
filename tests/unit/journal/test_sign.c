/* Keys and signatures: made and read by us, and judged by stock ssh-keygen and git. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

/* A key that ssh-keygen made for this test (ssh-keygen -t ed25519 -N '' -C test). */
static const char made_elsewhere[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACCKAMBjnVsw8krZm8ydsVyCAl6+lNusqEcK7aASacA6rAAAAIggMf8cIDH/\n"
    "HAAAAAtzc2gtZWQyNTUxOQAAACCKAMBjnVsw8krZm8ydsVyCAl6+lNusqEcK7aASacA6rA\n"
    "AAAEC64xOXgNdYUSzW/0aqkwsNsla+8e8QauJhozD5sKemLYoAwGOdWzDyStmbzJ2xXIIC\n"
    "Xr6U26yoRwrtoBJpwDqsAAAABHRlc3QB\n"
    "-----END OPENSSH PRIVATE KEY-----\n";
static const char its_public_half[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIoAwGOdWzDyStmbzJ2xXIICXr6U26yoRwrtoBJpwDqs";

static struct journal_key *key_new(void)
{
    struct journal_key *k = NULL;
    struct errinfo e;

    assert_int_equal(journal_key_make(&k, &e), OK);
    return k;
}

static void put_file(const char *dir, const char *name, mode_t mode, const void *p, size_t n)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

static bool have_ssh_keygen(void)
{
    return access("/usr/bin/ssh-keygen", X_OK) == 0;
}

static void test_a_key_is_written_and_read_again(void **state)
{
    struct journal_key *k = key_new(), *again = NULL;
    struct buf text = BUF_INIT, second = BUF_INIT;
    struct errinfo e;

    (void)state;
    journal_key_write(&text, k, "node-1");
    assert_int_equal(journal_key_read(&again, (const char *)text.data, text.len, &e), OK);
    journal_key_write(&second, again, "node-1");
    assert_string_equal(buf_cstr(&text), buf_cstr(&second));
    journal_key_free(again);
    journal_key_free(k);
    buf_free(&text);
    buf_free(&second);
}

static void test_a_key_of_ssh_keygen_is_read(void **state)
{
    struct journal_key *k = NULL;
    struct journal_signer s, again;
    char text[JOURNAL_KEY_TEXT_MAX];
    struct errinfo e;

    (void)state;
    assert_int_equal(journal_key_read(&k, made_elsewhere, strlen(made_elsewhere), &e), OK);
    s = journal_key_signer(k);
    journal_signer_text(text, &s);
    assert_string_equal(text, its_public_half);
    assert_true(journal_signer_read(&again, text, strlen(text)));
    assert_memory_equal(&s, &again, sizeof(s));
    assert_false(journal_signer_read(&again, text, strlen(text) - 1));
    assert_false(journal_signer_read(&again, "ssh-rsa AAAA", 12));
    journal_key_free(k);
}

static void test_ssh_keygen_reads_our_key(void **state)
{
    struct journal_key *k = key_new();
    struct journal_signer s = journal_key_signer(k);
    char *dir = temp_dir_new(), *command;
    struct buf text = BUF_INIT;
    char want[JOURNAL_KEY_TEXT_MAX], got[256] = "", fingerprint[JOURNAL_FINGERPRINT_TEXT_MAX];
    FILE *p;

    (void)state;
    if (!have_ssh_keygen())
        skip();
    journal_key_write(&text, k, "node-1");
    put_file(dir, "key", 0600, text.data, text.len);
    command =
        xasprintf("/usr/bin/ssh-keygen -y -f %s/key && /usr/bin/ssh-keygen -l -f %s/key", dir, dir);
    assert_non_null(p = popen(command, "r"));
    assert_non_null(fgets(got, sizeof(got), p));
    journal_signer_text(want, &s);
    assert_int_equal(strncmp(got, want, strlen(want)), 0);
    assert_non_null(strstr(got, "node-1"));
    assert_non_null(fgets(got, sizeof(got), p));
    journal_signer_fingerprint(fingerprint, &s);
    assert_non_null(strstr(got, fingerprint));
    assert_int_equal(pclose(p), 0);
    free(command);
    temp_dir_free(dir);
    journal_key_free(k);
    buf_free(&text);
}

/* Every octet of a key file matters, and no damage does harm. */
static void test_damaged_keys_are_refused(void **state)
{
    size_t n = strlen(made_elsewhere);
    char *text = xstrdup(made_elsewhere);
    struct errinfo e;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct journal_key *k = NULL;

        text[i] = text[i] == 'A' ? 'B' : 'A';
        if (journal_key_read(&k, text, n, &e) == OK) {
            struct journal_signer s = journal_key_signer(k);
            char got[JOURNAL_KEY_TEXT_MAX];

            journal_signer_text(got, &s); /* the comment, or the padding */
            assert_string_equal(got, its_public_half);
        }
        journal_key_free(k);
        text[i] = made_elsewhere[i];
        k = NULL;
        assert_int_not_equal(journal_key_read(&k, text, i, &e) == OK && i < n - 2, true);
        journal_key_free(k);
    }
    free(text);
}

static void test_other_keys_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        {"-t ed25519 -N secret", "passphrase"},
        {"-t ecdsa -N ''", "not an Ed25519 key"},
        {"-t rsa -b 1024 -m PEM -N ''", "not a private key of OpenSSH"},
    };

    (void)state;
    if (!have_ssh_keygen())
        skip();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *dir = temp_dir_new();
        char *command = xasprintf("/usr/bin/ssh-keygen -q %s -f %s/key", cases[i].arguments, dir);
        char *path = xasprintf("%s/key", dir);
        char text[JOURNAL_KEY_FILE_MAX];
        struct journal_key *k = NULL;
        struct errinfo e;
        size_t n;
        FILE *f;

        assert_int_equal(system(command), 0);
        assert_non_null(f = fopen(path, "r"));
        n = fread(text, 1, sizeof(text), f);
        (void)fclose(f);
        assert_int_not_equal(journal_key_read(&k, text, n, &e), OK);
        assert_non_null(strstr(e.text, cases[i].says));
        free(path);
        free(command);
        temp_dir_free(dir);
    }
}

/* ---- Commits ---- */

struct signed_journal {
    char *dir;
    struct journal *j;
    struct journal_key *key;
    struct journal_entry entry;
};

static struct signed_journal signed_journal_new(void)
{
    struct signed_journal s = {.dir = temp_dir_new(), .key = key_new()};
    char *path = xasprintf("%s/journal.git", s.dir);
    struct line_set lines = {0};
    struct zone *z;
    struct errinfo e;

    line_set_add(&lines, "example. 3600 IN SOA ns.example. h.example. 1 2 3 4 5");
    line_set_add(&lines, "example. 3600 IN NS ns.example.");
    z = zone_of_lines("example.", &lines);
    s.entry = entry_of(z, 1);
    assert_int_equal(journal_open(&s.j, path, "node-1", true, &e), OK);
    journal_sign_with(s.j, s.key);
    assert_int_equal(journal_write(s.j, &s.entry, 1, &e), OK);
    assert_int_equal(journal_ref_set(s.j, LINE_SERVED, s.entry.zone, &s.entry.commit, &e), OK);
    s.entry.content = NULL;
    s.entry.zone = NULL;
    zone_unref(z);
    line_set_free(&lines);
    free(path);
    return s;
}

static void signed_journal_done(struct signed_journal *s)
{
    journal_close(s->j);
    journal_key_free(s->key);
    temp_dir_free(s->dir);
}

static void put_signers(const struct signed_journal *s, const struct journal_key *k)
{
    struct journal_signer signer = journal_key_signer(k);
    char text[JOURNAL_KEY_TEXT_MAX];
    char *line;

    journal_signer_text(text, &signer);
    line = xasprintf("node-1 namespaces=\"git\" %s\n", text);
    put_file(s->dir, "signers", 0644, line, strlen(line));
    free(line);
}

static int git_verify(const struct signed_journal *s, struct buf *out)
{
    char *option = xasprintf("gpg.ssh.allowedSignersFile=%s/signers", s->dir);
    char *repo = xasprintf("%s/journal.git", s->dir);
    int code;

    buf_free(out);
    code = git_run(repo, out, "-c", "gpg.format=ssh", "-c", option, "verify-commit",
                   "refs/heads/example", NULL);
    (void)buf_cstr(out);
    free(repo);
    free(option);
    return code;
}

static void test_stock_git_verifies_a_commit(void **state)
{
    struct signed_journal s = signed_journal_new();
    struct journal_key *other = key_new();
    struct buf out = BUF_INIT;
    char *repo = xasprintf("%s/journal.git", s.dir);

    (void)state;
    assert_true(git_fsck_is_clean(repo));
    if (have_ssh_keygen()) {
        put_signers(&s, s.key);
        assert_int_equal(git_verify(&s, &out), 0);
        assert_non_null(strstr((const char *)out.data, "Good \"git\" signature for node-1"));
        put_signers(&s, other);
        assert_int_not_equal(git_verify(&s, &out), 0);
    }
    free(repo);
    buf_free(&out);
    journal_key_free(other);
    signed_journal_done(&s);
}

static void test_the_check_tells_good_bad_unknown_and_none(void **state)
{
    struct signed_journal s = signed_journal_new();
    struct journal_key *other = key_new();
    struct journal_signer both[2] = {journal_key_signer(other), journal_key_signer(s.key)};
    enum journal_signature found;
    struct journal_commit c;
    struct errinfo e;
    size_t which = 9;

    (void)state;
    assert_int_equal(journal_signature_check(s.j, &s.entry.commit, both, 2, &found, &which, &e),
                     OK);
    assert_int_equal(found, SIGNATURE_GOOD);
    assert_int_equal(which, 1);
    assert_int_equal(journal_signature_check(s.j, &s.entry.commit, both, 1, &found, &which, &e),
                     OK);
    assert_int_equal(found, SIGNATURE_UNKNOWN);
    assert_int_equal(journal_commit_get(s.j, &s.entry.commit, &c, &e), OK);
    assert_int_equal(c.version, 1);
    journal_key_free(other);
    signed_journal_done(&s);
}

/* Changes one octet of a commit behind its signature, and of the signature. */
static void test_a_changed_commit_has_a_bad_signature(void **state)
{
    struct signed_journal s = signed_journal_new();
    struct journal_signer signer = journal_key_signer(s.key);
    struct object o;
    struct errinfo e;
    struct buf changed = BUF_INIT;
    struct packer p;

    (void)state;
    assert_int_equal(object_get(s.j, NULL, &s.entry.commit, OBJ_COMMIT, &o, &e), OK);
    buf_put(&changed, o.data, o.len);
    object_done(&o);
    packer_init(&p, s.j, false);
    for (size_t i = changed.len - 60; i < changed.len; i += 7) {
        enum journal_signature found = SIGNATURE_NONE;
        struct journal_oid id;
        size_t which;
        uint8_t was = changed.data[i];

        changed.data[i] = was == 'x' ? 'y' : 'x';
        assert_int_equal(packer_put(&p, OBJ_COMMIT, changed.data, changed.len, &id, &e), OK);
        assert_int_equal(packer_install(&p, &e), OK);
        assert_int_equal(journal_signature_check(s.j, &id, &signer, 1, &found, &which, &e), OK);
        assert_int_equal(found, SIGNATURE_BAD);
        changed.data[i] = was;
        packer_done(&p);
        packer_init(&p, s.j, false);
    }
    packer_done(&p);
    buf_free(&changed);
    signed_journal_done(&s);
}

static void test_an_unsigned_commit_has_none(void **state)
{
    struct journal_key *k = key_new();
    struct signed_journal s = signed_journal_new();
    struct journal_signer signer = journal_key_signer(s.key);
    struct line_set lines = {0};
    enum journal_signature found = SIGNATURE_GOOD;
    struct journal_entry en;
    struct errinfo e;
    struct zone *z;
    size_t which;

    (void)state;
    line_set_add(&lines, "other. 3600 IN SOA ns.other. h.other. 1 2 3 4 5");
    line_set_add(&lines, "other. 3600 IN NS ns.other.");
    z = zone_of_lines("other.", &lines);
    en = entry_of(z, 1);
    journal_sign_with(s.j, NULL);
    assert_int_equal(journal_write(s.j, &en, 1, &e), OK);
    assert_int_equal(journal_signature_check(s.j, &en.commit, &signer, 1, &found, &which, &e), OK);
    assert_int_equal(found, SIGNATURE_NONE);
    zone_unref(z);
    line_set_free(&lines);
    journal_key_free(k);
    signed_journal_done(&s);
}

/* A replay after a crash finds what it wrote. */
static void test_the_same_change_has_the_same_id(void **state)
{
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct journal_key *k = key_new();
    struct errinfo e;

    (void)state;
    buf_str(&first, "tree x\nauthor y\n\nmessage\n");
    buf_str(&second, "tree x\nauthor y\n\nmessage\n");
    assert_int_equal(commit_sign(&first, k, &e), OK);
    assert_int_equal(commit_sign(&second, k, &e), OK);
    assert_string_equal(buf_cstr(&first), buf_cstr(&second));
    assert_non_null(strstr(buf_cstr(&first), "author y\ngpgsig -----BEGIN SSH SIGNATURE-----\n "));
    assert_non_null(strstr(buf_cstr(&first), "\n -----END SSH SIGNATURE-----\n\nmessage\n"));
    buf_free(&first);
    buf_free(&second);
    journal_key_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_written_and_read_again),
        cmocka_unit_test(test_a_key_of_ssh_keygen_is_read),
        cmocka_unit_test(test_ssh_keygen_reads_our_key),
        cmocka_unit_test(test_damaged_keys_are_refused),
        cmocka_unit_test(test_other_keys_are_refused_with_a_reason),
        cmocka_unit_test(test_stock_git_verifies_a_commit),
        cmocka_unit_test(test_the_check_tells_good_bad_unknown_and_none),
        cmocka_unit_test(test_a_changed_commit_has_a_bad_signature),
        cmocka_unit_test(test_an_unsigned_commit_has_none),
        cmocka_unit_test(test_the_same_change_has_the_same_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
