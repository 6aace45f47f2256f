/* cc hello.c $(pkg-config --cflags --libs pep) -o hello; ./hello TOKEN ACTION RESOURCE */
#include <pep.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    pep_options o = PEP_OPTIONS_INIT;
    o.identity = getenv("PEP_IDENTITY"); /* the folder that `policyctl service join` wrote */
    pep *p;
    if (argc != 4)
        return fprintf(stderr, "usage: PEP_IDENTITY=DIR hello TOKEN ACTION RESOURCE\n"), 2;
    if (pep_open(&o, &p) != PEP_OK)
        return fprintf(stderr, "hello: %s\n", pep_open_error()), 2;
    if (pep_wait_ready(p, 5000) != PEP_OK)
        fprintf(stderr, "hello: no policy yet, so everything is denied\n");
    bool ok = pep_allow(p, argv[1], argv[2], argv[3]);
    puts(ok ? "allow" : "deny");
    pep_close(p);
    return ok ? 0 : 1;
}
