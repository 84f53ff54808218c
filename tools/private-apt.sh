# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# What fetch-source and fetch-binary share: an apt of their own, beside the machine's. It is
# sourced.
#
# The mirror comes from the machine's apt configuration. apt checks the signature of the lists and
# the hash of what it downloads, and takes nothing that is not signed.
#
# Invariant: nothing is written but below $cache, which is locked: one fetch at a time.

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Splits NAME=VERSION into $name and $pattern.
parse_package() {
    name=${1%%=*}
    pattern=${1#*=}
    [ "$name" != "$pattern" ] && [ -n "$name" ] && [ -n "$pattern" ] ||
        fail "the package is given as NAME=VERSION"
}

# $1: the apt state's name. Sets $cache and $apt, and waits for the lock.
open_cache() {
    mkdir -p "${FETCH_CACHE:-build/sources}"
    cache=$(cd "${FETCH_CACHE:-build/sources}" && pwd)
    apt=$cache/$1
    exec 9>"$cache/lock"
    flock 9
}

# $1: deb or deb-src; $2: components. The machine's Debian suites, with these components.
write_sources_list() {
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ -n "$codename" ] || fail "/etc/os-release names no VERSION_CODENAME"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    option=
    if [ -f "$keyring" ]; then
        option="[signed-by=$keyring] "
    fi
    apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sort -u |
        while read -r site release component; do
            case "$component/$release" in
            "main/$codename" | "main/$codename-updates" | "main/$codename-security")
                echo "$1 $option$site $release $2"
                ;;
            esac
        done >"$apt/sources.list"
    [ -s "$apt/sources.list" ] ||
        fail "apt's configuration has no Debian archive for $codename (component main)"
}

# $apt_options: more of them. What the command says is in $apt/log, and shown when it fails.
private_apt() {
    # shellcheck disable=SC2086 # the options are separate arguments
    "$@" -q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" \
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none \
        -o Acquire::Retries=3 -o Acquire::AllowInsecureRepositories=false \
        -o APT::Get::AllowUnauthenticated=false ${apt_options:-} >"$apt/log" 2>&1 || {
        cat "$apt/log" >&2
        return 1
    }
}

# $1, $2: as for write_sources_list.
update_lists() {
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    write_sources_list "$1" "$2"
    private_apt apt-get update || fail "cannot read the package lists of this machine's mirror"
}

# Prints the newest version in $apt/log that matches the pattern.
newest_version() {
    best=
    for version in $(sed -n 's/^Version: //p' "$apt/log"); do
        # shellcheck disable=SC2254 # the pattern is meant to be one
        case "$version" in
        $pattern)
            if [ -z "$best" ] || dpkg --compare-versions "$version" gt "$best"; then
                best=$version
            fi
            ;;
        esac
    done
    [ -n "$best" ] || fail "no version of $name matches $pattern; offered:" \
        "$(sed -n 's/^Version: //p' "$apt/log" | sort -u | tr '\n' ' ')"
    echo "$best"
}
