#!/usr/bin/env bash
# Runs the kernel checks on an emulated Xeon (Sapphire Rapids): AVX-512, VNNI, BF16, AVX-VNNI and AMX, which QEMU does not emulate.
#
#   run.sh [VARIANT...] [OPTION...]     the check program's arguments; it always gets --quick
#   PROGRAM=file run.sh                 runs another static program in its place
#   CPU=corei7_icelake_u run.sh         another CPU of Bochs (`bochs -q 'cpu: model=help'` lists them)
#
# Bochs and a Linux kernel come as Debian packages of one release, over apt but with lists of their own: nothing is added to the
# system's sources. Bochs is built once, with bochs-amx.patch, without which Linux leaves AMX off and its int8 products are wrong. Everything
# lies in EMULATOR_FOLDER, ~/.cache/swiftlet-bochs by default. The first run takes some minutes more.
set -euo pipefail
emulator=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
here=$(dirname "$emulator")
root=$(cd "$here/../.." && pwd)
# shellcheck source=../build.sh
source "$here/build.sh"
folder=${EMULATOR_FOLDER:-$HOME/.cache/swiftlet-bochs}
release=trixie
mkdir -p "$folder"
cd "$folder"

missing=()
for pair in g++:g++ make:make patch:patch xz:xz-utils cpio:cpio xorriso:xorriso gzip:gzip dpkg-deb:dpkg; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
if [ ${#missing[@]} -gt 0 ]; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -q >&2
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "${missing[@]}" >&2
fi

# apt with lists, cache and sources of its own.
private_apt() {
  APT_CONFIG="$folder/apt/apt.conf" "$@"
}
set_up_apt() {
  mkdir -p apt/lists/partial apt/cache/archives/partial
  # The mirror that this system uses.
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sed -n 1p)
  cat >apt/debian.sources <<END
Types: deb deb-src
URIs: $mirror
Suites: $release
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
  cat >apt/apt.conf <<END
Dir::Etc::sourcelist "$folder/apt/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$folder/apt/lists";
Dir::Cache "$folder/apt/cache";
APT::Architecture "amd64";
APT::Sandbox::User "root";
END
  private_apt apt-get update -q >&2
}

if [ ! -x bochs/bochs ] || [ ! -e bochs/patched ] || ! cmp -s bochs/patched "$emulator/bochs-amx.patch"; then
  set_up_apt
  rm -rf bochs bochs_*
  # The sources alone: Debian's patches concern only its packaging.
  private_apt apt-get source -q --tar-only bochs >&2
  mkdir bochs
  tar -xf bochs_*.orig.tar.* -C bochs --strip-components=1
  (
    cd bochs
    patch -s -p1 <"$emulator/bochs-amx.patch"
    ./configure --disable-docbook --enable-cpu-level=6 --enable-x86-64 --enable-pci --enable-avx --enable-evex --enable-amx \
      --enable-repeat-speedups --enable-handlers-chaining --enable-fast-function-calls --with-nogui \
      CFLAGS=-O2 CXXFLAGS=-O2 >configure.log 2>&1
    make -j"$(nproc)" bochs >make.log 2>&1 || { tail -n 20 make.log >&2; exit 1; }
    cp "$emulator/bochs-amx.patch" patched
  )
fi

if [ ! -e system/complete ]; then
  set_up_apt
  rm -rf system packages
  mkdir system packages
  (
    cd packages
    kernel=$(private_apt apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
    private_apt apt-get download -q "$kernel" bochsbios vgabios isolinux syslinux-common >&2
    for package in *.deb; do dpkg-deb -x "$package" ../system; done
  )
  rm -rf packages system/lib/modules system/usr/lib/modules
  touch system/complete
fi

# The disk: kernel, and a file system in memory with nothing but the two programs.
rm -rf disk memory
mkdir -p disk/isolinux memory
"$(find_clang)" -O2 -static -o memory/init "$emulator/init.c"
if [ -n "${PROGRAM:-}" ]; then cp "$PROGRAM" memory/kernel-checks; else build_checks "$folder/memory/kernel-checks" -static; fi
(cd memory && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >disk/initrd.gz
cp system/boot/vmlinuz-* disk/vmlinuz
cp system/usr/lib/ISOLINUX/isolinux.bin system/usr/lib/syslinux/modules/bios/ldlinux.c32 disk/isolinux/
# Without ACPI, since Bochs' system management mode fails on it; idle=poll, since an idle kernel would release tiles with XFD set.
cat >disk/isolinux/isolinux.cfg <<END
DEFAULT linux
LABEL linux
  KERNEL /vmlinuz
  APPEND initrd=/initrd.gz console=ttyS0,115200 edd=off mitigations=off tsc=reliable lpj=1000000 acpi=off noapic idle=poll cryptomgr.notests loglevel=4 -- --quick $*
END
xorriso -as mkisofs -quiet -o disk.iso -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table disk \
  2>/dev/null
cat >bochsrc <<END
config_interface: textconfig
display_library: nogui
cpu: model=${CPU:-sapphire_rapids}, count=1, ips=50000000, reset_on_triple_fault=0
memory: guest=512, host=512
romimage: file=$folder/system/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=$folder/system/usr/share/vgabios/vgabios-stdvga.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$folder/disk.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$folder/serial.log
clock: sync=none
panic: action=fatal
log: $folder/bochs.log
END

rm -f serial.log
touch serial.log
bochs/bochs -q -f bochsrc >output.log 2>&1 </dev/null &
process=$!
trap 'kill $process 2>/dev/null || true' EXIT
tail -n +1 -f --pid=$process serial.log &
deadline=$((SECONDS + ${TIMEOUT:-1800}))
while kill -0 $process 2>/dev/null; do
  sleep 1
  if grep -q 'Kernel panic' serial.log || [ $SECONDS -gt $deadline ]; then
    kill $process
    break
  fi
done
wait $process 2>/dev/null || true
wait
grep -q 'kernel-checks: exit status 0' serial.log
