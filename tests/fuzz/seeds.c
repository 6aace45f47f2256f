/* The program around seeds(): fuzz_NAME_seeds FOLDER. */
#include "seeds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *folder;

static void die(const char *what)
{
    fprintf(stderr, "seeds: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The folder and all above it. */
static void make_folders(const char *path)
{
    char part[4096];
    for (size_t i = 1; i <= strlen(path) && i < sizeof(part); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            die(part);
    }
}

void seed_write(const char *name, struct pep_span bytes)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes.data, 1, bytes.size, f) != bytes.size || fclose(f) != 0)
        die(path);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    make_folders(folder);
    seeds();
    return 0;
}
