/*
 * A service in PEP_FILE mode with everything around it: a scratch folder with root and bundle, an
 * identity provider that signs tokens. What tests and benchmarks of decisions begin with. A failure
 * in here ends the program with a message.
 */
#ifndef PEP_TESTS_SCENE_H
#define PEP_TESTS_SCENE_H

#include "tests/support/fixture.h"

#include "pep.h"

#define SCENE_ISSUER   "https://idp.test"
#define SCENE_AUDIENCE "billing"
#define SCENE_PATH     64

struct scene {
    struct fixture fixture;
    char folder[SCENE_PATH], bundle_file[SCENE_PATH + 16], root_file[SCENE_PATH + 16];
    json_t *jwk; /* of the identity provider, private */
    struct pep_jwk_private *key;
    char *issuers; /* issuers.json */
};

struct scene scene_new(void);
void scene_free(struct scene *s);

/* The bytes of a bundle with this policy source (and issuers.json). `more` files may follow. */
struct pep_buffer scene_bundle(const struct scene *s, const struct pep_manifest_draft *draft,
                               const char *policy, const struct fixture_file *more, size_t count);
/* Replaces the bundle file by rename. */
void scene_put(const struct scene *s, const struct pep_manifest_draft *draft, const char *policy);
void scene_put_version(const struct scene *s, uint64_t version, const char *policy);
/* The same with `count` more rules, each written by `rule`, in files of the size that authors (and
 * the limit of 250 constants per file) keep to. */
void scene_put_rules(const struct scene *s, uint64_t version, const char *policy, unsigned count,
                     void (*rule)(struct pep_buffer *out, unsigned i));
/* Replaces any file in the folder by rename. */
void scene_write(const char *path, struct pep_span bytes);

/* Options for this scene: PEP_FILE, the audience. */
pep_options scene_options(const struct scene *s);
pep *scene_open(const struct scene *s);
/* The same with decision records, which go nowhere; and a wait until the agent has delivered those
 * of all decisions so far, which ends the program if a record was dropped. */
pep *scene_open_recording(const struct scene *s);
void scene_wait_for_records(const pep *p);

/* A token with iss, aud, iat and exp (in ten minutes) filled in unless `claims` (JSON) has them.
 * Freed by the caller. */
char *scene_token(const struct scene *s, const char *claims);

#endif
