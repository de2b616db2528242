#!/bin/sh
# Installs a redis-server or valkey-server program on Debian or Ubuntu, as root, and no service: the packages of tools
# hold the server too, under the name of its checking tool. Only if that should not be so the server's own package is
# installed, under a policy that forbids the start of services.
set -eu
export DEBIAN_FRONTEND=noninteractive

# candidate PACKAGE: the version that would be installed, without its epoch.
candidate() {
  apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}\([0-9].*\)$/\2/p'
}

# pick: the tools that are new enough. Redis packages stay as they are where a Redis is installed: an upgrade would
# restart its service.
pick() {
  if ! dpkg -s redis-server >/dev/null 2>&1; then
    version=$(candidate redis-tools)
    if [ -n "$version" ] && dpkg --compare-versions "$version" ge 7.0; then echo redis && return; fi
  fi
  version=$(candidate valkey-tools)
  if [ -n "$version" ] && dpkg --compare-versions "$version" ge 7.2; then echo valkey; fi
}

# serves NAME: the checking tool is the server, called by the server's name.
serves() {
  folder=$(mktemp -d)
  ln -s "/usr/bin/$1-check-rdb" "$folder/$1-server"
  "$folder/$1-server" --version 2>/dev/null | grep -qi 'server v=' && found=0 || found=1
  rm -r "$folder"
  return $found
}

install() {
  apt-get install -y -qq --no-install-recommends "$1"
}

# install_without_start PACKAGE: under a policy that says no to every start of a service; put back as it was.
install_without_start() {
  policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then mv "$policy" "$policy.before-usher"; fi
  trap 'rm -f "$policy"; [ ! -e "$policy.before-usher" ] || mv "$policy.before-usher" "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  install "$1"
}

product=$(pick)
if [ -z "$product" ]; then
  apt-get update -qq
  product=$(pick)
fi
if [ -z "$product" ]; then
  echo 'There is no package with redis-server 7.0 or later, or valkey-server 7.2 or later.' >&2
  exit 1
fi
install "$product-tools" || { apt-get update -qq && install "$product-tools"; }
serves "$product" || install_without_start "$product-server"
