/*
 * pep_enrol(): a one-time token becomes an identity folder.
 *
 *     token -> own key, on disk first -> question to the server -> root pinned by the token's
 * digest
 *           -> its successors -> identity.json, last
 *
 * The key is on disk before the server hears of it: if the answer is lost, the next try comes with
 * the same key and gets the same answer, instead of burning the token. What the server says about
 * itself is not believed: the token fixes its transport key, the root's digest and the bundle's
 * name.
 */
#include "pep/client_inside.h"
#include "pep/core/crypto.h"
#include "pep/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int own_key(const char *folder, struct pep_curve_key *ret, struct pep_error *err)
{
    struct pep_error none = PEP_ERROR_INIT;
    int rc = pep_curve_key_read(folder, ret, &none);
    if (rc == PEP_OK) {
        if (pep_curve_key_fits(ret))
            return PEP_OK;
        return pep_error_set(err, PEP_EFORMAT,
                             "%s/curve.key: public and secret key do not belong "
                             "together: remove it and enrol again",
                             folder);
    }
    if (rc != PEP_ENOTFOUND)
        return pep_error_set(err, rc, "%s", pep_error_text(&none));
    if (pep_curve_key_new(ret) != PEP_OK)
        return pep_error_set(err, PEP_EIO, "no new CURVE key");
    return pep_curve_key_write(folder, ret, err);
}

static int follow_chain(const struct pep_enrol_token *token, const struct pep_span *roots,
                        size_t count, struct pep_root **ret, struct pep_error *err)
{
    struct pep_root *newest;
    if (count == 0)
        return pep_error_set(err, PEP_EFORMAT, "the server sent no root document");
    int rc = pep_root_open(roots[0], token->root_sha256, &newest, err);
    if (rc != PEP_OK)
        return pep_error_set(err, rc, "the server's root document is not the token's");
    for (size_t i = 1; i < count && rc == PEP_OK; i++) {
        struct pep_root *next = NULL;
        rc = pep_root_follow(newest, roots[i], &next, err);
        if (rc == PEP_OK) {
            pep_root_free(newest);
            newest = next;
        }
    }
    if (rc == PEP_OK && pep_root_expired(newest, pep_moment_now().wall_ms / 1000))
        rc = pep_error_set(err, PEP_EEXPIRED,
                           "the server's root document %u is expired: its owner "
                           "must sign and upload the next one",
                           pep_root_version(newest));
    if (rc == PEP_OK && !pep_root_has_server(newest, token->server_key))
        rc = pep_error_set(err, PEP_ESIGNATURE,
                           "the root document does not name the server of this token");
    if (rc != PEP_OK) {
        pep_root_free(newest);
        return rc;
    }
    *ret = newest;
    return PEP_OK;
}

static int take_answer(const struct pep_enrol_token *token, const struct pep_enrolled *answer,
                       const struct pep_frames *frames, struct pep_identity *id,
                       struct pep_error *err)
{
    if (strcmp(answer->bundle, token->bundle) != 0)
        return pep_error_set(err, PEP_EFORMAT, "the token is for bundle %s, the server says %s",
                             token->bundle, answer->bundle);
    if (answer->endpoint_count == 0 || answer->endpoint_count > PEP_ENDPOINTS)
        return pep_error_set(err, PEP_EFORMAT, "the server names no endpoints");
    int rc = follow_chain(token, frames->spans + 1, frames->count - 1, &id->root, err);
    if (rc != PEP_OK)
        return rc;
    snprintf(id->client, sizeof(id->client), "%s", answer->client);
    snprintf(id->bundle, sizeof(id->bundle), "%s", answer->bundle);
    snprintf(id->installation, sizeof(id->installation), "%s", pep_root_installation(id->root));
    snprintf(id->server_key, sizeof(id->server_key), "%s", token->server_key);
    id->endpoint_count = answer->endpoint_count;
    memcpy(id->notices, answer->notices, sizeof(id->notices));
    memcpy(id->fetch, answer->fetch, sizeof(id->fetch));
    return PEP_OK;
}

static int enrol_locked(const struct pep_enrol_token *token, const char *folder,
                        uint32_t timeout_ms, const atomic_bool *stop, struct pep_error *err)
{
    struct pep_enrolled answer;
    struct pep_frames frames = {0};
    if (pep_identity_exists(folder))
        return pep_error_set(err, PEP_ECONFLICT,
                             "%s holds an identity already: use it, or choose another folder",
                             folder);
    struct pep_identity *id = calloc(1, sizeof(*id));
    if (id == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory for an identity");
    int rc = own_key(folder, &id->key, err);
    if (rc == PEP_OK)
        rc = pep_enrol_ask(token, &id->key, timeout_ms, stop, &answer, &frames, err);
    if (rc == PEP_OK)
        rc = take_answer(token, &answer, &frames, id, err);
    if (rc == PEP_OK)
        rc = pep_identity_write(folder, id, err);
    pep_frames_free(&frames);
    pep_identity_free(id);
    return rc;
}

int pep_enrol_until(const char *token, const char *folder, uint32_t timeout_ms,
                    const atomic_bool *stop, struct pep_error *err)
{
    struct pep_enrol_token t;
    int rc = pep_enrol_token_read(pep_span_string(token), &t, err);
    if (rc == PEP_OK)
        rc = pep_disk_folder(folder, 0700, err);
    int lock = rc == PEP_OK ? pep_disk_lock(folder, true, err) : -1;
    if (rc == PEP_OK)
        rc = lock < 0 ? lock : enrol_locked(&t, folder, timeout_ms, stop, err);
    if (lock >= 0)
        close(lock);
    pep_wipe(&t, sizeof(t));
    return rc;
}

pep_err pep_enrol(const char *token, const char *identity_folder, uint32_t timeout_ms)
{
    struct pep_error err = PEP_ERROR_INIT;
    if (token == NULL || identity_folder == NULL || identity_folder[0] == '\0') {
        pep_error_set(&err, PEP_EINVAL, "pep_enrol() needs a token and a folder");
        return pep_open_failed(&err);
    }
    int rc = pep_enrol_until(token, identity_folder, timeout_ms, NULL, &err);
    if (rc == PEP_OK)
        return PEP_OK;
    pep_error_set(&err, rc, "%s", pep_strerror(rc));
    return pep_open_failed(&err);
}
