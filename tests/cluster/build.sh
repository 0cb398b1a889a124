#!/usr/bin/env bash
# Builds the programs of the cluster bed once, into a cache folder outside the checkout:
#
#   kube-apiserver, kube-controller-manager   from tools/kubernetes (a Go module; versions are its go.mod's)
#   etcd                                      a copy of the machine's, or out of Debian's etcd-server when there is none
#   operator/                                 a copy of $EMQX_TUI_CLUSTER_OPERATOR, when that is set (below)
#   manifest                                  one "name version" a line, of all of these and of Go
#
# Prints the folder, and nothing else, on standard output. Run again, it has nothing to do and prints the same. With
# --where it builds nothing: it prints the folder if everything is there, else one line that says what is missing.
#
#   EMQX_TUI_CLUSTER_CACHE     the cache folder itself (else one named by what it is built from, below
#                              ${XDG_CACHE_HOME:-~/.cache}/emqx-tui/cluster)
#   EMQX_TUI_CLUSTER_OPERATOR  a folder with the real EMQX Operator, which this script does not build, since its Go
#                              module cannot be had from the module proxy: `emqx-operator` (the program), `VERSION`
#                              (one line), `crd/*.yaml`, `webhook/manifests.yaml`, and if at hand `rbac/*.yaml`
#   GO                         the go command (else `go`)
#
# On two cores, from nothing: 13 s of downloads (0.7 GB of modules), 6 minutes of building, 217 MB of programs
# (kube-apiserver 102, kube-controller-manager 93, etcd 22). Go's own build cache grows by 2.7 GB, which may be
# freed afterwards (`go clean -cache`). With that cache still there it takes 10 s.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
module=$here/tools/kubernetes
go=${GO:-go}
flags=(-p 2 -trimpath -buildvcs=false -mod=readonly)
export GOTOOLCHAIN=local GOFLAGS='' GOWORK=off CGO_ENABLED=0
unset GOOS GOARCH

say() { echo "build.sh: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

command -v "$go" >/dev/null || fail "no Go: '$go' is not on PATH; install Go 1.24 or later, or name it by GO"
go_version=$("$go" env GOVERSION) || fail "no Go: '$go env GOVERSION' failed; name a working go by GO"

key=$({
  cat "$module/go.mod" "$module/go.sum"
  echo "$go_version ${flags[*]}"
} | sha256sum | cut -c1-16)
cache=${EMQX_TUI_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emqx-tui/cluster/$key}
control_plane_complete() {
  [[ -f $cache/manifest && -x $cache/kube-apiserver && -x $cache/kube-controller-manager && -x $cache/etcd ]] &&
    grep -qx "key $key" "$cache/manifest"
}

if [[ ${1:-} == --where ]]; then
  control_plane_complete || fail "no control plane built: run tests/cluster/build.sh once (some minutes)"
  echo "$cache"
  exit 0
fi

mkdir -p "$(dirname "$cache")" || fail "no cache: cannot make $(dirname "$cache"); set EMQX_TUI_CLUSTER_CACHE"
cache=$(cd "$(dirname "$cache")" && pwd)/$(basename "$cache")

# One build at a time; the others wait, and then find it done.
exec 9>"$cache.lock"
flock 9 || fail "no lock: flock of $cache.lock failed; is it on a file system with locks?"
part=$cache.part
log=$cache.log
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP

# What stands there already is replaced only if an earlier run of this script made it.
if [[ ! -f $cache/manifest && -e $cache ]] && ! rmdir "$cache" 2>/dev/null; then
  fail "no cache: $cache exists and is not a cache of this script; remove it, or set EMQX_TUI_CLUSTER_CACHE to another"
fi

# Debian's package is unpacked, not installed: no root needed, and no service of it is started.
take_etcd() {
  local have fetched=$part/etcd-package
  have=$(command -v etcd) || have=
  if [[ -z $have ]]; then
    command -v apt-get >/dev/null || fail "no etcd: not on PATH, and no apt-get here; install etcd 3.4 or later"
    mkdir "$fetched"
    (cd "$fetched" && { apt-get download etcd-server || { apt-get update && apt-get download etcd-server; }; }) \
      >>"$log" 2>&1 ||
      fail "no etcd: 'apt-get download etcd-server' failed (see $log); 'apt-get update' as root, or install etcd 3.4 or later"
    dpkg -x "$fetched"/etcd-server_*.deb "$fetched" >>"$log" 2>&1 ||
      fail "no etcd: cannot unpack Debian's etcd-server (see $log); install etcd 3.4 or later"
    have=$fetched/usr/bin/etcd
  fi
  cp -L "$have" "$part/etcd" || fail "no etcd: cannot copy $have to $part; is the disk full?"
  rm -rf "$fetched"
}

build_control_plane() {
  local version minor etcd_version
  say "building the control plane into $cache (some minutes, once)"
  rm -rf "$part"
  mkdir "$part" || fail "no cache: cannot make $part; set EMQX_TUI_CLUSTER_CACHE to a folder that can be written"
  : >"$log"
  take_etcd
  (cd "$module" && "$go" mod download) >>"$log" 2>&1 ||
    fail "no modules: 'go mod download' in tests/cluster/tools/kubernetes failed (see $log); is the module proxy reached?"
  version=$(cd "$module" && "$go" list -m -f '{{.Version}}' k8s.io/kubernetes) 2>>"$log" ||
    fail "no version: 'go list -m k8s.io/kubernetes' in tests/cluster/tools/kubernetes failed (see $log)"
  minor=${version#v1.}
  minor=${minor%%.*}
  local package=k8s.io/component-base/version
  local stamp="-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
  stamp+=" -X $package.gitTreeState=archive"
  (cd "$module" && nice -n 10 "$go" build "${flags[@]}" -ldflags "$stamp" -o "$part/" \
    k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager) >>"$log" 2>&1 ||
    fail "no control plane: 'go build' in tests/cluster/tools/kubernetes failed (see the end of $log)"
  etcd_version=$("$part/etcd" --version 2>>"$log" | sed -n 's/^etcd Version: //p')
  [[ $("$part/kube-apiserver" --version 2>>"$log") == "Kubernetes $version" ]] ||
    fail "bad build: kube-apiserver does not call itself $version (see $log); remove $cache* and run again"
  [[ $("$part/kube-controller-manager" --version 2>>"$log") == "Kubernetes $version" ]] ||
    fail "bad build: kube-controller-manager does not call itself $version (see $log); remove $cache* and run again"
  [[ -n $etcd_version ]] || fail "bad etcd: it does not tell its version; install etcd 3.4 or later"
  printf '%s\n' "key $key" "kubernetes $version" "etcd v$etcd_version" "go $go_version" >"$part/manifest"
  if [[ -d $cache/operator ]]; then
    mv "$cache/operator" "$part/operator"
    grep '^operator ' "$cache/manifest" >>"$part/manifest" || true
  fi
  rm -rf "$cache"
  mv -T "$part" "$cache" || fail "no cache: cannot rename $part to $cache"
}

take_operator() {
  local given=${EMQX_TUI_CLUSTER_OPERATOR:-} file version
  [[ -n $given ]] || return 0
  for file in emqx-operator VERSION crd webhook/manifests.yaml; do
    [[ -e $given/$file ]] || fail "no operator: EMQX_TUI_CLUSTER_OPERATOR has no $file ($given); see the head of build.sh"
  done
  [[ -x $given/emqx-operator ]] || fail "no operator: $given/emqx-operator is no program; chmod +x it"
  version=$(head -n 1 "$given/VERSION")
  if [[ -d $cache/operator ]]; then
    diff -rq "$given" "$cache/operator" >/dev/null 2>&1 && grep -qxF "operator $version" "$cache/manifest" && return 0
  fi
  rm -rf "$part"
  mkdir "$part" && cp -RL "$given" "$part/operator" ||
    fail "no operator: cannot copy $given to $cache; is the disk full?"
  { grep -v '^operator ' "$cache/manifest" && echo "operator $version"; } >"$part/manifest"
  rm -rf "$cache/operator"
  mv -T "$part/operator" "$cache/operator"
  mv "$part/manifest" "$cache/manifest"
}

control_plane_complete || build_control_plane
take_operator
[[ -x $cache/operator/emqx-operator ]] ||
  say "no EMQX Operator in the cache, so the bed runs the simulated one: EMQX_TUI_CLUSTER_OPERATOR brings in the real one"
rm -f "$log"
echo "$cache"
