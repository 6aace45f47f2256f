/*
 * What tests need before they can begin: keys, a root, a signed bundle. The keys are always the
 * same (their seeds are hashes of their names), so that stored corpora stay valid. A failure in
 * here ends the test program with a message: there is nothing to test without a fixture.
 */
#ifndef PEP_TESTS_FIXTURE_H
#define PEP_TESTS_FIXTURE_H

#include "pep/core/bundle.h"
#include "pep/core/sign.h"

#define FIXTURE_CREATED INT64_C(1700000000)
#define FIXTURE_NOW     INT64_C(1700001000)
#define FIXTURE_EXPIRES INT64_C(4000000000) /* real clocks are well before this */
#define FIXTURE_SERVER  "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" /* a CURVE key, Z85 */

struct fixture {
    struct pep_private_key *root_key, *policy_key, *beacon_key;
    struct pep_root *root; /* version 1, epoch 1, 1-of-1 */
};

struct fixture_file {
    const char *path, *content;
};

struct fixture fixture_new(void);
void fixture_free(struct fixture *f);

/* The Ed25519 key of this name: the same each time. */
struct pep_private_key *fixture_key(const char *name);
/* The draft of the fixture's root, to be changed for other roots. */
struct pep_root_draft fixture_root_draft(const struct fixture *f);
/* An envelope of a root document. Freed by the caller. */
struct pep_buffer fixture_sign_root(const struct pep_root_draft *draft,
                                    const struct pep_private_key *const *keys, size_t count);

/* The draft of a final manifest for bundle "acme" at this version. */
struct pep_manifest_draft fixture_manifest_draft(uint64_t version);
/* The bytes of a bundle file, signed by `key`. Freed by the caller. */
struct pep_buffer fixture_sign_bundle(const struct pep_private_key *key,
                                      const struct pep_manifest_draft *draft,
                                      const struct fixture_file *files, size_t count);
/* The same, signed by the fixture's policy key, already opened. */
struct pep_bundle *fixture_bundle(const struct fixture *f, uint64_t version,
                                  const struct fixture_file *files, size_t count);
/* A set of files, for the engine. Freed by the caller. */
struct pep_files *fixture_files(const struct fixture_file *files, size_t count);

/* A bundle for "acme" that the engine accepts: one head-only rule. */
extern const struct fixture_file fixture_small_bundle[];
extern const size_t fixture_small_bundle_count;

#endif
