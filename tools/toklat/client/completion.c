/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat completion: a script for the shell, which asks this command for words: `completion words
 * SHELL-WORDS...`, the last of them unfinished. Commands and options come from the table and the
 * usages; images from the machine, if one runs. No word has a character that a shell would take
 * for more than itself.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/api.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/toklat.h"

const char completion_usage[] =
    "Usage: toklat completion bash|zsh\n"
    "\n"
    "Prints a script that completes this command in the shell; in a shell's startup file:\n"
    "\n"
    "  bash: source <(toklat completion bash)\n"
    "  zsh:  source <(toklat completion zsh), after compinit\n";

#define ASK_MS 500

static const char bash_script[] =
    "# bash completion for toklat\n"
    "_toklat()\n"
    "{\n"
    "    local word\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r word; do\n"
    "        COMPREPLY+=(\"$word\")\n"
    "    done < <(toklat completion words \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then\n"
    "        compopt -o nospace\n"
    "    fi\n"
    "}\n"
    "complete -o default -F _toklat toklat\n";

static const char zsh_script[] =
    "#compdef toklat\n"
    "_toklat()\n"
    "{\n"
    "    local -a found whole open\n"
    "    found=(${(f)\"$(toklat completion words \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
    "    open=(${(M)found:#*/})\n"
    "    whole=(${found:#*/})\n"
    "    (( $#open )) && compadd -S '' -a open\n"
    "    (( $#whole )) && compadd -a whole\n"
    "    (( $#found )) || _files\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _toklat ]; then\n"
    "    _toklat \"$@\"\n"
    "else\n"
    "    compdef _toklat toklat\n"
    "fi\n";

static const char *const store_words[] = {"create", "info", "list", "verify", "export", "import"};

/* What an argument of a command is. */
static const struct {
    const char *command;
    enum { VMS, IMAGES, BOTH, SHELLS, STORE } what;
} arguments[] = {
    {"run", IMAGES},   {"rm", VMS},      {"start", VMS},         {"pause", VMS},
    {"resume", VMS},   {"restart", VMS}, {"clone", VMS},         {"checkpoint", VMS},
    {"logs", VMS},     {"attach", VMS},  {"rmi", IMAGES},        {"set", IMAGES},
    {"inspect", BOTH}, {"store", STORE}, {"completion", SHELLS},
};

static void offer(const char *word, const char *begun, const char *end)
{
    if (strncmp(word, begun, strlen(begun)) == 0) {
        printf("%s%s\n", word, end);
    }
}

static void offer_images(const char *begun, const char *end)
{
    struct api a;
    json_t *answer = NULL, *image;
    size_t i;
    if (api_open_quiet(&a, true) != EXIT_CLEAN) {
        return;
    }
    a.limit_ms = ASK_MS;
    api_get(&a, &answer, "/v1/images");
    json_array_foreach(json_object_get(answer, "images"), i, image)
    {
        const char *name = member_text(image, "name");
        bool plain = *name != 0;
        for (const char *p = name; *p; p++) {
            plain = plain && (isalnum((unsigned char)*p) || strchr(",._+@-", *p));
        }
        if (plain) {
            offer(name, begun, end);
        }
    }
    json_decref(answer);
    api_close(&a);
}

/* The options that a usage names: each --word in it. */
static void offer_options(const char *usage, const char *begun)
{
    char seen[1024] = " ", word[64], needle[68];
    for (const char *p = strstr(usage, "--"); p; p = strstr(p, "--")) {
        size_t n = 2 + strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-");
        if (n > 2 && n < sizeof(word) && strlen(seen) + n + 2 < sizeof(seen)) {
            memcpy(word, p, n);
            word[n] = 0;
            snprintf(needle, sizeof(needle), " %s ", word);
            if (!strstr(seen, needle)) {
                strcat(seen, needle + 1);
                offer(word, begun, "");
            }
        }
        p += n;
    }
    offer("--help", begun, "");
}

static void offer_arguments(const char *command, const char *begun)
{
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
        if (strcmp(arguments[i].command, command) != 0) {
            continue;
        }
        if (arguments[i].what == IMAGES || arguments[i].what == BOTH) {
            offer_images(begun, "");
        }
        if (arguments[i].what == VMS || arguments[i].what == BOTH) {
            offer_images(begun, "/");
        }
        if (arguments[i].what == SHELLS) {
            offer("bash", begun, "");
            offer("zsh", begun, "");
        }
        for (size_t k = 0; k < ARRAY_SIZE(store_words) && arguments[i].what == STORE; k++) {
            offer(store_words[k], begun, "");
        }
    }
}

static int words(int argc, char **argv)
{
    const char *begun = argc > 1 ? argv[argc - 1] : "", *before = argc > 2 ? argv[argc - 2] : "";
    if (argc <= 2) {
        for (const struct command *c = toklat_commands; c->name; c++) {
            offer(c->name, begun, "");
        }
        return EXIT_CLEAN;
    }
    if (!strcmp(before, "--image") || !strcmp(before, "--peer")) {
        offer_images(begun, "");
        return EXIT_CLEAN;
    }
    for (const struct command *c = toklat_commands; c->name && *begun == '-'; c++) {
        if (!strcmp(c->name, argv[1]) && c->usage) {
            offer_options(c->usage, begun);
        }
    }
    if (*begun != '-' && (argc == 3 || strcmp(argv[1], "store") != 0)) {
        offer_arguments(argv[1], begun);
    }
    return EXIT_CLEAN;
}

int completion_command(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "words")) {
        return words(argc - 1, argv + 1);
    }
    int code = options_parse(argc, argv, completion_usage, OPTIONS_NONE, 1, 1);
    if (code != OPTIONS_GO) {
        return code;
    }
    if (!strcmp(argv[optind], "bash")) {
        fputs(bash_script, stdout);
    } else if (!strcmp(argv[optind], "zsh")) {
        fputs(zsh_script, stdout);
    } else {
        return usage_error(completion_usage, "bash or zsh", argv[optind]);
    }
    return EXIT_CLEAN;
}
