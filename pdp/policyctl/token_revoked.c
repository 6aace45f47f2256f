/* token inspect --live: whether the list of revoked tokens that pdpd has now means this token. */
#include "revocations.h"
#include "token.h"

int token_ask_revoked(struct session *s, const json_t *claims, const char **ret)
{
    static const char *const kinds[] = {"no", "jti", "sid", "subject"};
    const char *issuer = json_string_value(json_object_get(claims, "iss"));
    struct remote *r = NULL;
    struct pep_root *root = NULL;
    struct pep_revocations *list = NULL;
    struct pep_token_marks marks;
    int rc = remote_open(s, &r);
    if (rc == EXIT_OK)
        rc = trust_root(s, r, &root);
    if (rc == EXIT_OK)
        rc = revocations_load(s, r, root, false, &list);
    if (rc == EXIT_OK && pep_token_marks_read(issuer == NULL ? "" : issuer, claims, &marks) != 0)
        rc = output_error(&s->out, EXIT_FAILED, "no memory");
    if (rc == EXIT_OK)
        *ret = kinds[pep_token_revoked(list, &marks)];
    pep_revocations_free(list);
    pep_root_free(root);
    remote_close(r);
    return rc;
}
