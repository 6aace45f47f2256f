/* The chain of root documents: see roots.h. */
#include "roots.h"

#include <stdlib.h>
#include <string.h>

struct roots {
    struct pep_root **chain; /* version i + first at [i] */
    size_t count, capacity;
};

static int reserve(struct roots *r)
{
    if (r->count < r->capacity)
        return 0;
    size_t capacity = r->capacity + 16;
    struct pep_root **chain = realloc(r->chain, capacity * sizeof(struct pep_root *));
    if (chain == NULL)
        return PEP_ENOMEM;
    r->chain = chain;
    r->capacity = capacity;
    return 0;
}

static int load(void *context, const struct store_root *row)
{
    struct roots *r = context;
    struct pep_root *root = NULL;
    int rc = reserve(r);
    if (rc == 0)
        rc = r->count == 0 ? pep_root_open(row->envelope, NULL, &root, NULL)
                           : pep_root_follow(roots_newest(r), row->envelope, &root, NULL);
    if (rc == 0)
        roots_add(r, root);
    return rc;
}

int roots_open(struct store *store, struct roots **ret, struct pep_error *err)
{
    struct roots *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    int rc = store_each_root(store, load, r, err);
    if (rc != 0) {
        roots_close(r);
        return pep_error_set(err, rc, "stored root documents: %s", pep_strerror(rc));
    }
    *ret = r;
    return 0;
}

void roots_close(struct roots *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        pep_root_free(r->chain[i]);
    free(r->chain);
    free(r);
}

const struct pep_root *roots_newest(const struct roots *r)
{
    return r->count == 0 ? NULL : r->chain[r->count - 1];
}

uint32_t roots_version(const struct roots *r)
{
    return r->count == 0 ? 0 : pep_root_version(roots_newest(r));
}

const struct pep_root *roots_at(const struct roots *r, uint32_t version)
{
    uint32_t newest = roots_version(r);
    if (version == 0 || version > newest || newest - version >= r->count)
        return NULL;
    return r->chain[r->count - 1 - (newest - version)];
}

struct pep_span roots_envelope(const struct roots *r, uint32_t version)
{
    const struct pep_root *root = roots_at(r, version);
    return root == NULL ? pep_span_of(NULL, 0) : pep_root_envelope(root);
}

/* Does the beacon role hold this key? */
static bool names_beacon(const struct pep_root *root, const struct pep_public_key *key)
{
    struct pep_signers beacons = pep_root_signers(root, PEP_ROLE_BEACON);
    for (size_t i = 0; i < beacons.count; i++) {
        if (memcmp(beacons.keys[i].raw, key->raw, PEP_ED25519_SIZE) == 0)
            return beacons.threshold == 1;
    }
    return false;
}

static int check_server(const struct pep_root *root, const struct roots_server *self,
                        struct pep_error *err)
{
    if (!pep_root_has_server(root, self->curve))
        return pep_error_set(err, PEP_EDENIED,
                             "the document does not list this server's key %s under `servers`",
                             self->curve);
    if (!names_beacon(root, self->beacon))
        return pep_error_set(err, PEP_EDENIED,
                             "the document does not list this server's beacon key %.16s... under "
                             "`beacon` with threshold 1",
                             self->beacon->id);
    return 0;
}

int roots_check(struct roots *r, struct pep_span envelope, const struct roots_server *self,
                int64_t now, struct pep_root **ret, struct pep_error *err)
{
    const struct pep_root *newest = roots_newest(r);
    struct pep_root *root = NULL;
    int rc;
    if (newest != NULL && pep_span_equal(pep_root_envelope(newest), envelope))
        return PEP_ESTATE;
    rc = newest == NULL ? pep_root_open(envelope, NULL, &root, err)
                        : pep_root_follow(newest, envelope, &root, err);
    if (rc == 0 && pep_root_expired(root, now))
        rc = pep_error_set(err, PEP_EEXPIRED, "the root document is past its `expires`");
    if (rc == 0)
        rc = check_server(root, self, err);
    if (rc == 0)
        rc = reserve(r);
    if (rc != 0) {
        pep_root_free(root);
        return rc;
    }
    *ret = root;
    return 0;
}

void roots_add(struct roots *r, struct pep_root *root)
{
    r->chain[r->count++] = root;
}
