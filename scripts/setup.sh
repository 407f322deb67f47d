#!/usr/bin/env bash
# Installs what Nowcell needs: Debian packages through apt, LibTorch from Python wheels. `--help` tells more.
set -euo pipefail

readonly TORCH_VERSION=2.15.0
readonly OLDEST_TORCH=2.11.0
readonly OLDEST_CMAKE=3.25

# Wheels: name, version, SHA-256 of the file for Linux x86-64 (and CPython 3.11 where that matters).
# The first three are what libtorch_cpu.so needs even without a GPU; all versions are those that torch's METADATA asks for.
readonly CPU_WHEELS="
torch                 $TORCH_VERSION 48c2d861134c0b5697c7602cb5ffa68f62a2989fdcd1717e593356f67996ca1e
nvidia-cuda-runtime   13.2.86   3498247680dfddce31bad102af7e3e26fc795342a3cac64722bb0fa95e7f60f0
nvidia-cuda-cupti     13.2.86   8fa29f15dd8336181f961764d9d95236fc6b931dd0c8fcf8cd70aab0c310b586"
readonly CUDA_WHEELS="
nvidia-cublas         13.4.1.3  a5917cb642cfb07f4a0231ee16aec7e2e0357d8cb8b1b78a0c9c68dba3e6afc7
nvidia-cuda-nvrtc     13.2.86   8111c5130e967b78222ea2124145f8efe9ce201b752b2579a2513100a53be1c5
nvidia-cudnn-cu13     9.26.0.51 9c976d539786698c71d6bcdbe2053b7485fae062ff7e1215d2f2ff67b1a2149a
nvidia-cufft          12.2.0.57 34da27fadf3979b0b042c43823f0530be8408b86df31ee0108e1ca0b621d4ef6
nvidia-cufile         1.17.1.22 87feaf8c3ad20d3d03a01933181801ff6892bace5c8f0b1e4b48f319d3e62d36
nvidia-cusolver       12.2.0.11 fab5778f6769947389a1a6abc07e635576825a08c0ffc68c3ae7f1392c794b42
nvidia-cusparse       12.7.10.12 25907c75e4db1581685f06f61cc6cdecc04611765516a52373e0a18ebd69fa00
nvidia-cusparselt-cu13 0.8.1    786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0
nvidia-nccl-cu13      2.30.7    cefa7fdb9710efd0f39c5f1be1d61ff6fc9a996c451265bd7fbdcf9455ed4b50
nvidia-nvjitlink      13.5.37   280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb
nvidia-nvshmem-cu13   3.7.2     b9a4f843c62b5dded8ad33fd6d220e007dcd39f06cee549292f5ba14ce4c235c
nvidia-nvtx           13.2.86   968ce72baee2a01791c7d3254000eac81f24677b0b91c62d21b449a1f309c245
filelock              4.2.12    21decfec02f116ed4c954433cdb31f28c3b346b784543177b6d7059da2702ee9
fsspec                2026.9.0  8dd6e646e99ea382bd85f97a45e6b526a442d79423a7dc673f1e2756d05fcb5f
jinja2                3.1.6     85ece4451f492d0c13c5dd7c13a64681a86afae63a5f347908daf103ce6d2f67
markupsafe            3.0.4     6da83a088f8ef93b2d483a8232a4dbf4d69d3d8496b568a03c56becac43e1808
mpmath                1.3.0     a0b2b9fe80bbcd81a6647ff13108738cfb482d481d826cc0e02f5b35e5c88d2c
networkx              3.6.1     d47fbf302e7d9cbbb9e2555a0d267983d2aa476bac30e90dfbe5669bd57f3762
numpy                 2.4.6     89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93
sympy                 1.14.0    e091cc3e99d2141a0ba2847328f5479b05d94a6635cb96148ccb3f34671bd8f5
typing-extensions     4.16.0    481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8"

# Tools: command, package. Libraries: name, package, header, pkg-config name.
readonly RUN_TOOLS="
g++ g++
cmake cmake
ninja ninja-build
ccache ccache
pkg-config pkg-config
python3 python3
unzip unzip"
readonly DEV_TOOLS="
clang clang
clang++ clang
clang-format clang-format
clang-tidy clang-tidy
chromium chromium"
readonly LIBRARIES="
OpenCV libopencv-dev opencv4/opencv2/videoio.hpp opencv4
HDF5 libhdf5-dev hdf5/serial/hdf5.h|hdf5.h hdf5-serial|hdf5
CLI11 libcli11-dev CLI/CLI.hpp CLI11
toml++ libtomlplusplus-dev toml++/toml.h tomlplusplus
nlohmann-json nlohmann-json3-dev nlohmann/json.hpp nlohmann_json
fmt libfmt-dev fmt/core.h fmt
spdlog libspdlog-dev spdlog/spdlog.h spdlog
libzip libzip-dev zip.h libzip
libdeflate libdeflate-dev libdeflate.h libdeflate
libtiff libtiff-dev tiffio.h libtiff-4
zlib zlib1g-dev zlib.h zlib
giflib libgif-dev gif_lib.h -
xxHash libxxhash-dev xxhash.h libxxhash
Catch2 catch2 catch2/catch.hpp|catch2/catch_all.hpp catch2|catch2-with-main"

usage() {
    cat <<END
usage: scripts/setup.sh [--dev] [--cuda] [--check]

Installs what building and running Nowcell needs. Quick when nothing is missing; asks nothing.

  (no option)  compilers, libraries and LibTorch $TORCH_VERSION for the CPU (2 GB on disk)
  --dev        also clang with its sanitizer and fuzzer runtime, clang-format, clang-tidy, Chromium
  --cuda       also what LibTorch needs for a GPU and for Python's 'import torch' (2.1 GB download)
  --check      installs nothing, needs no root: one line per dependency; exit 0 complete, 1 something missing
  --help       this text

LibTorch is unpacked once into \$NOWCELL_DEPS (now: $deps) and shared by all checkouts.
Your own LibTorch ($OLDEST_TORCH or newer) is used instead if the environment names it: Torch_DIR or CMAKE_PREFIX_PATH.

Exit codes: 0 done, 1 failed or (--check) incomplete, 2 wrong option, or packages are missing and there is no root.
END
}

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    printf 'setup: error: %s\n' "$1" >&2
    shift
    printf '  %s\n' "$@" >&2
    exit 1
}

deps=${NOWCELL_DEPS:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/nowcell}
readonly deps root="$deps/libtorch-$TORCH_VERSION"
work= # temporary folder of an unpacking in progress
trap 'if [[ -n $work ]]; then rm -rf "$work"; fi' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

dev=0 cuda=0 check=0
for option in "$@"; do
    case $option in
        --dev) dev=1 ;;
        --cuda) cuda=1 ;;
        --check) check=1 ;;
        -h | --help) usage && exit 0 ;;
        *)
            printf 'setup: error: unknown option: got %s, expected --dev, --cuda, --check or --help\n' "$option" >&2
            exit 2
            ;;
    esac
done
repair="scripts/setup.sh"
((dev == 0)) || repair+=" --dev"
((cuda == 0)) || repair+=" --cuda"
readonly repair

# ---- packages ------------------------------------------------------------------------------------------------------

# Where a header of the form a|b lies, or nothing.
find_header() {
    local prefix dir header
    local -a dirs=() headers
    IFS=: read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}:${CONDA_PREFIX:-}:/usr/local:/usr"
    for prefix in "${prefixes[@]}"; do
        [[ -z $prefix ]] || dirs+=("$prefix/include" "$prefix/include/$(uname -m)-linux-gnu")
    done
    IFS='|' read -r -a headers <<<"$1"
    for dir in "${dirs[@]}"; do
        for header in "${headers[@]}"; do
            if [[ -e $dir/$header ]]; then
                printf '%s' "$dir/$header"
                return
            fi
        done
    done
}

# Debian numbers the package of clang's runtime; it has to fit the clang that `clang` stands for.
clang_major() {
    local major=
    if command -v clang >/dev/null; then
        major=$(clang -dumpversion)
    else
        major=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p' | head -n 1)
    fi
    if [[ -z $major ]]; then # a fresh container has no package lists yet
        case $(. /etc/os-release 2>/dev/null && printf '%s' "${VERSION_CODENAME:-}") in
            bookworm) major=14 ;;
            noble) major=18 ;;
            trixie) major=19 ;;
        esac
    fi
    printf '%s' "${major%%.*}"
}

clang_runtime() {
    command -v clang >/dev/null || return 0
    local file
    file=$(clang -print-file-name=libclang_rt.fuzzer-"$(uname -m)".a)
    [[ ! -e $file ]] || printf '%s' "$file"
}

package_version() {
    dpkg-query -W -f='${Version}' "$1" 2>/dev/null && return
    local module
    for module in ${2//|/ }; do
        pkg-config --modversion "$module" 2>/dev/null && return
    done
    printf '(version unknown)'
}

tool_version() {
    local flag=--version
    [[ $1 != unzip ]] || flag=-v
    "$1" "$flag" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1 || true
}

report() { # ok|missing, name, version, text
    ((check == 0)) || printf '%-8s %-14s %-14s %s\n' "$@"
}

# A tool from elsewhere may come before apt's on PATH; installing a package again would not help.
old_tools() {
    local version
    version=$(tool_version cmake)
    if [[ -n $version ]] && ! at_least "$version" "$OLDEST_CMAKE"; then
        printf 'cmake is too old: got %s in %s, expected %s or newer' "$version" "$(command -v cmake)" "$OLDEST_CMAKE"
    fi
}

# Collects into `packages` what is missing; reports each dependency under --check.
missing_packages() {
    local name package header module where version
    packages=()
    while read -r name package; do
        [[ -n $name ]] || continue
        where=$(command -v "$name" || true)
        if [[ -z $where ]]; then
            packages+=("$package")
            report missing "$name" - "package $package"
        elif ((check)); then
            report ok "$name" "$(tool_version "$name")" "$where"
        fi
    done <<<"$RUN_TOOLS$( ((dev == 0)) || printf '%s' "$DEV_TOOLS")"
    while read -r name package header module; do
        [[ -n $name ]] || continue
        where=$(find_header "$header")
        if [[ -z $where ]]; then
            packages+=("$package")
            report missing "$name" - "package $package"
        elif ((check)); then
            report ok "$name" "$(package_version "$package" "$module")" "$where"
        fi
    done <<<"$LIBRARIES"
    if ((dev)); then
        where=$(clang_runtime)
        if [[ -n $where ]]; then
            report ok "clang runtime" "$(clang_major)" "$where"
        else
            packages+=("libclang-rt-$(clang_major)-dev")
            report missing "clang runtime" - "package ${packages[-1]}: sanitizers and libFuzzer"
        fi
    fi
    # pip only fetches the wheels; whoever has LibTorch already does not need it.
    if ! has_torch && [[ -z $(pip_python) ]]; then
        packages+=(python3-pip)
        report missing pip - "package python3-pip"
    fi
    ((${#packages[@]} == 0)) || mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
}

install_packages() {
    local -a apt=(apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -y -q) root_prefix=()
    local line="apt-get install -y --no-install-recommends ${packages[*]}"
    if ! command -v apt-get >/dev/null; then
        die "packages are missing and this system has no apt: ${packages[*]}" \
            "install them with your own package manager, then run: $repair"
    fi
    if ((EUID != 0)); then
        if ! sudo -n true 2>/dev/null; then
            say "packages are missing, and installing them needs root. Run this line, then $repair again:"
            printf 'sudo apt-get update && sudo %s\n' "$line"
            exit 2
        fi
        root_prefix=(sudo -n)
    fi
    say "installing ${#packages[@]} packages: ${packages[*]}"
    local log
    log=$(mktemp)
    apt_run() { "${root_prefix[@]}" env DEBIAN_FRONTEND=noninteractive "${apt[@]}" "$@" >>"$log" 2>&1 </dev/null; }
    # An outdated package list is the usual reason for a first failure.
    if ! apt_run install --no-install-recommends "${packages[@]}"; then
        apt_run update || true
        if ((dev)) && [[ -z $(clang_runtime) ]]; then
            packages=("${packages[@]/#libclang-rt-*/libclang-rt-$(clang_major)-dev}")
        fi
        if ! apt_run install --no-install-recommends "${packages[@]}"; then
            tail -n 15 "$log" >&2
            rm -f "$log"
            die "apt could not install the packages" "the last lines above say why; by hand: $line"
        fi
    fi
    rm -f "$log"
}

# ---- LibTorch ------------------------------------------------------------------------------------------------------

pip_python() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then
            printf '%s' "$python"
            return
        fi
    done
}

# The LibTorch that the user's environment names: its folder (with include/ and lib/), or nothing.
own_torch() {
    local entry candidate
    local -a entries candidates=()
    if [[ -n ${Torch_DIR:-} ]]; then
        candidates+=("$Torch_DIR/../../.." "$Torch_DIR" "$Torch_DIR/torch")
    fi
    IFS=':;' read -r -a entries <<<"${CMAKE_PREFIX_PATH:-}"
    for entry in "${entries[@]}"; do
        [[ -z $entry ]] || candidates+=("$entry" "$entry/torch" "$entry"/lib/python3.*/site-packages/torch "$entry/../..")
    done
    for candidate in "${candidates[@]}"; do
        if [[ -e $candidate/lib/libtorch_cpu.so && -d $candidate/include/ATen ]]; then
            (cd "$candidate" && pwd)
            return
        fi
    done
    return 0
}

torch_version() {
    local header
    for header in "$1"/include/torch/headeronly/version.h "$1"/include/torch/csrc/api/include/torch/version.h; do
        [[ -e $header ]] || continue
        awk '$2 == "TORCH_VERSION_MAJOR" {a=$3} $2 == "TORCH_VERSION_MINOR" {b=$3} $2 == "TORCH_VERSION_PATCH" {c=$3}
            END {if (a != "") printf "%s.%s.%s", a, b, c}' "$header" | grep . && return
    done
    printf 'unknown'
}

at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

wanted_wheels() {
    printf '%s\n' "$CPU_WHEELS" | sed 1d
    ((cuda == 0)) || printf '%s\n' "$CUDA_WHEELS" | sed 1d
}

record_of() { printf '%s/%s-%s.dist-info/RECORD' "$1" "${2//-/_}" "$3"; }

# Prints "name<TAB>reason" for each wheel that is absent or differs in any file's size from the wheel's own list.
# A wheel's RECORD arrives last, so its presence says that the unpacking was finished.
broken_wheels() {
    local name version record
    local -a records=()
    while read -r name version _; do
        record=$(record_of "$root" "$name" "$version")
        if [[ -s $record ]]; then
            records+=("$record")
        else
            printf '%s\tnot unpacked completely, its RECORD is missing\n' "$name"
        fi
    done < <(wanted_wheels)
    ((${#records[@]} > 0)) || return 0
    find "$root" -type f -printf '%s\t%P\n' | awk -F'\t' '
        function finish() {
            if (missing + wrong) {
                sub(/.*\//, "", name)
                printf "%s\t%d files missing, %d of the wrong size, first: %s\n", name, missing, wrong, first
            }
            missing = wrong = 0
            first = ""
        }
        FNR == 1 {if (++file > 2) finish(); name = FILENAME; sub(/-[0-9.]*\.dist-info\/RECORD$/, "", name); gsub(/_/, "-", name)}
        file == 1 {have[$2] = $1; next}
        {
            sub(/\r$/, "")
            if (!match($0, /,sha256=[^,]*,[0-9]+$/)) next
            path = substr($0, 1, RSTART - 1)
            size = $0
            sub(/.*,/, "", size)
            gsub(/"/, "", path)
            if (!(path in have)) {
                ++missing
                if (!first) first = path
            } else if (have[path] != size) {
                ++wrong
                if (!first) first = path ": " have[path] " bytes, expected " size
            }
        }
        END {finish()}' - "${records[@]}"
}

has_torch() { [[ -n $own ]] || [[ -z $broken ]]; }

need_space() { # MB, what for
    local free
    free=$(df -Pm "$deps" | awk 'NR == 2 {print $4}')
    if ((free < $1)); then
        die "not enough disk space for $2: got $free MB free in $deps, expected $1 MB" \
            "free some space, or set NOWCELL_DEPS to a folder on a larger disk and run: $repair"
    fi
}

# All wheels of the list `name version hash` on stdin: download, compare hashes, unpack, then move into place.
fetch_wheels() {
    local list name version hash file got log python platform mb=2600
    list=$(cat)
    log=$work/pip.log
    python=$(pip_python)
    local -a requirements=() platforms=()
    while read -r name version hash; do requirements+=("$name==$version"); done <<<"$list"
    # Each wheel was built for another oldest C library; all of these run on Debian 12.
    for platform in manylinux_2_{28,27,26,25,24,18,17,12,5}_x86_64 manylinux{2014,2010,1}_x86_64; do
        platforms+=(--platform "$platform")
    done
    ((${#requirements[@]} < 4)) || mb=9000
    need_space "$mb" "LibTorch"
    say "downloading ${#requirements[@]} wheels: ${requirements[*]}"
    mkdir "$work/wheels" "$work/tmp" "$work/root"
    if ! TMPDIR=$work/tmp PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip download --no-deps --only-binary=:all: --no-cache-dir \
        --no-input --disable-pip-version-check --progress-bar off --retries 3 --python-version 3.11 --implementation cp \
        --abi cp311 --abi abi3 --abi none "${platforms[@]}" --dest "$work/wheels" "${requirements[@]}" >"$log" 2>&1 </dev/null; then
        if grep -qiE 'no space left|errno 28' "$log"; then
            die "the disk is full: downloading LibTorch into $deps failed" \
                "free some space, or set NOWCELL_DEPS to a folder on a larger disk and run: $repair"
        elif grep -qi 'certificate_verify_failed' "$log"; then
            die "the Python package index has a certificate that pip does not trust" \
                "behind a company's proxy: set PIP_CERT to the file with its certificates, then run: $repair"
        elif grep -qiE 'name resolution|unreachable|timed out|connection (refused|reset|broken|aborted)|max retries|proxy' "$log"; then
            die "no network: the Python package index could not be reached: $(grep -m 1 -oiE "\[errno[^')]*|timed out" "$log" || tail -n 1 "$log")" \
                "check the connection (pip's own settings for mirrors and proxies are used), then run: $repair"
        fi
        tail -n 5 "$log" >&2
        die "pip could not download LibTorch" "the lines above are pip's; try again with: $repair"
    fi
    while read -r name version hash; do
        file=$(find "$work/wheels" -iname "${name//-/_}-$version-*.whl")
        got=$(sha256sum "$file" | cut -d ' ' -f 1)
        if [[ $got != "$hash" ]]; then
            die "wrong SHA-256 of ${file##*/}: got $got, expected $hash" \
                "the download was damaged or the index serves another file; nothing was unpacked. Try again with: $repair"
        fi
    done <<<"$list"
    say "unpacking into $root"
    if ! find "$work/wheels" -name '*.whl' -print0 | xargs -0 -n 1 -P 2 unzip -q -o -d "$work/root" >"$log" 2>&1; then
        tail -n 3 "$log" >&2
        die "unpacking LibTorch into $deps failed: most likely the disk is full ($(df -Pm "$deps" | awk 'NR == 2 {print $4}') MB free)" \
            "free some space, or set NOWCELL_DEPS to a folder on a larger disk and run: $repair"
    fi
    rm -rf "$work/wheels" "$work/tmp"
    move_into_place
}

# A first unpacking is one rename. A later one is merged by hard links, RECORD files last (see broken_wheels).
move_into_place() {
    if [[ ! -e $root ]]; then
        mv -T "$work/root" "$root"
        return
    fi
    local record info
    mkdir "$work/info"
    for record in "$work/root"/*.dist-info/RECORD; do
        info=$(basename "$(dirname "$record")")
        rm -f "$root/$info/RECORD"
        mv "$record" "$work/info/$info"
    done
    cp -alf "$work/root/." "$root/" 2>/dev/null || cp -af "$work/root/." "$root/"
    for record in "$work/info"/*; do
        mv "$record" "$root/${record##*/}/RECORD"
    done
}

install_torch() {
    local names
    mkdir -p "$deps" 2>/dev/null || die "cannot create $deps" "set NOWCELL_DEPS to a folder you can write to and run: $repair"
    [[ -w $deps ]] || die "cannot write to $deps" "set NOWCELL_DEPS to a folder you can write to and run: $repair"
    exec 9>"$deps/.lock"
    if ! flock -n 9; then
        say "another set-up is at work in $deps; waiting for it"
        flock 9
    fi
    broken=$(broken_wheels)
    [[ -n $broken ]] || return 0
    rm -rf "$deps"/.unpack.* # left by a set-up that was killed; the lock says that nobody uses it
    work=$(mktemp -d "$deps/.unpack.XXXXXX")
    names=$(cut -f 1 <<<"$broken")
    wanted_wheels | awk -v names="${names//$'\n'/ }" '
        BEGIN {split(names, list, " "); for (i in list) wanted[list[i]]} $1 in wanted' >"$work/list"
    fetch_wheels <"$work/list"
    rm -rf "$work"
    work=
    broken=$(broken_wheels)
    [[ -z $broken ]] || die "LibTorch is still incomplete after unpacking" "$broken" "remove $root and run: $repair"
}

# One line on LibTorch: ok or missing, and how to repair it.
check_torch() {
    local where=$own version lost name reason
    if [[ -n $own ]]; then
        version=$(torch_version "$own")
        if [[ $version != unknown ]] && ! at_least "$version" "$OLDEST_TORCH"; then
            report missing LibTorch "$version" "too old: $own, named by Torch_DIR or CMAKE_PREFIX_PATH; expected $OLDEST_TORCH or newer"
            return 1
        fi
    elif [[ -n ${Torch_DIR:-} ]]; then
        report missing LibTorch - "Torch_DIR is $Torch_DIR, but no lib/libtorch_cpu.so lies around it; correct or unset it"
        return 1
    elif [[ ! -e $root ]]; then
        report missing LibTorch - "not in $deps: run $repair"
        return 1
    elif [[ -n $broken ]]; then
        while IFS=$'\t' read -r name reason; do
            report missing "$([[ $name == torch ]] && printf LibTorch || printf '%s' "$name")" - "$root: $reason"
        done <<<"$broken"
        printf '%-8s %-14s %-14s %s\n' '' '' '' "LibTorch is incomplete; this repairs it: $repair"
        return 1
    else
        where=$root/torch
        version=$(torch_version "$where")
    fi
    lost=$(ldd "$where/lib/libtorch_cpu.so" 2>&1 | awk '/not found/ {print $1}' | sort -u | paste -sd ' ')
    if [[ -n $lost ]]; then
        report missing LibTorch "$version" "$where does not load, these libraries are not found: $lost"
        return 1
    fi
    report ok LibTorch "$version" "$where ($([[ -n $own ]] && printf 'named by Torch_DIR or CMAKE_PREFIX_PATH' || printf 'unpacked by scripts/setup.sh'))"
}

# Nothing here is needed; it says what a build with and without a GPU will use.
check_optional() {
    local version
    if command -v nvcc >/dev/null; then
        report ok "CUDA Toolkit" "$(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')" "$(command -v nvcc)"
    else
        report optional "CUDA Toolkit" - "no nvcc on PATH: the program is built for the CPU"
    fi
    if ((cuda)) && [[ -z $own ]]; then
        version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
        if [[ $version == 3.11 ]]; then
            report ok "import torch" 3.11 "PYTHONPATH=$root"
        else
            report optional "import torch" "${version:--}" "needs Python 3.11, which this wheel is for; C++ is not affected"
        fi
    fi
}

# ---- main ----------------------------------------------------------------------------------------------------------

if [[ $(uname -s)-$(uname -m) != Linux-x86_64 && -z $(own_torch) ]]; then
    die "LibTorch's wheel is for Linux x86-64: got $(uname -s) $(uname -m)" \
        "name a LibTorch of your own: Torch_DIR=<libtorch>/share/cmake/Torch $repair"
fi
own=$(own_torch)
broken=
[[ -n $own ]] || broken=$(broken_wheels)

missing_packages
if ((check)); then
    status=0
    ((${#packages[@]} == 0)) || status=1
    check_torch || status=1
    check_optional
    old=$(old_tools)
    [[ -z $old ]] || { printf '%s\n' "$old" && status=1; }
    if ((status == 0)); then
        printf 'complete\n'
    else
        printf 'incomplete: run %s\n' "$repair"
    fi
    exit "$status"
fi

((${#packages[@]} == 0)) || install_packages
old=$(old_tools)
[[ -z $old ]] || die "$old" "put a newer one first on PATH; Debian 12 has 3.25.1"
if [[ -n $own ]]; then
    version=$(torch_version "$own")
    if [[ $version != unknown ]] && ! at_least "$version" "$OLDEST_TORCH"; then
        die "LibTorch in $own is too old: got $version, expected $OLDEST_TORCH or newer" \
            "unset Torch_DIR and CMAKE_PREFIX_PATH to let scripts/setup.sh fetch $TORCH_VERSION"
    fi
elif [[ -n ${Torch_DIR:-} ]]; then
    die "Torch_DIR is $Torch_DIR, but no lib/libtorch_cpu.so lies around it" "correct it, or unset it and run: $repair"
elif [[ -n $broken ]]; then
    install_torch
    if ((cuda)) && [[ $(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') != 3.11 ]]; then
        say "note: 'import torch' from $root needs Python 3.11; C++ is not affected"
    fi
fi
