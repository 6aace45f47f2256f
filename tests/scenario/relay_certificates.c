/* See relay_certificates.h. By libcrypto, because the openssl program cannot make a certificate that
 * has expired already in all versions that we support. */
#include "relay_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct authority {
    X509 *certificate;
    EVP_PKEY *key;
};

static void must(int fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "relay_certificates: %s\n", what);
    exit(3);
}

static void extend(X509 *c, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, c, c, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(e != NULL && X509_add_ext(c, e, -1) == 1, "extension");
    X509_EXTENSION_free(e);
}

/* Valid from two hours ago until `until` seconds from now. `by` NULL: by itself, an authority. */
static X509 *make(EVP_PKEY *key, const char *name, long until, const struct authority *by)
{
    static long serial;
    X509 *c = X509_new();
    must(c != NULL && X509_set_version(c, 2) == 1, "memory");
    ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c), -7200);
    X509_gmtime_adj(X509_getm_notAfter(c), until);
    X509_set_pubkey(c, key);
    X509_NAME *subject = X509_get_subject_name(c);
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                    -1, 0) == 1,
         "name");
    X509_set_issuer_name(c, by == NULL ? subject : X509_get_subject_name(by->certificate));
    if (by == NULL)
        extend(c, NID_basic_constraints, "critical,CA:TRUE");
    return c;
}

static struct authority authority_new(const char *name)
{
    struct authority a = {.key = EVP_EC_gen("P-256")};
    must(a.key != NULL, "key");
    a.certificate = make(a.key, name, 86400, NULL);
    must(X509_sign(a.certificate, a.key, EVP_sha256()) > 0, "sign");
    return a;
}

static void authority_free(struct authority *a)
{
    X509_free(a->certificate);
    EVP_PKEY_free(a->key);
}

static FILE *create(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s.pem", folder, name);
    FILE *f = fopen(path, "w");
    must(f != NULL, path);
    return f;
}

static void issue(const char *folder, const char *name, const struct authority *by, long until,
                  const char *host)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    must(key != NULL, "key");
    X509 *c = make(key, "issuer", until, by);
    extend(c, NID_subject_alt_name, host);
    must(X509_sign(c, by->key, EVP_sha256()) > 0, "sign");
    FILE *f = create(folder, name);
    must(PEM_write_X509(f, c) == 1 &&
             PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0,
         name);
    X509_free(c);
    EVP_PKEY_free(key);
}

void relay_certificates(const char *folder)
{
    struct authority ours = authority_new("authority"), strange = authority_new("stranger");
    FILE *f = create(folder, "ca");
    must(PEM_write_X509(f, ours.certificate) == 1 && fclose(f) == 0, "ca.pem");
    issue(folder, "good", &ours, 86400, "IP:127.0.0.1");
    issue(folder, "expired", &ours, -3600, "IP:127.0.0.1");
    issue(folder, "stranger", &strange, 86400, "IP:127.0.0.1");
    issue(folder, "othername", &ours, 86400, "DNS:idp.example");
    authority_free(&ours);
    authority_free(&strange);
}
