# Does what a container runtime does, without one:
#   sh box.sh ROOT BINARY MAKING USER GROUP WORKDIR VOLUME WORD...
# makes ROOT the image, with MAKING, a RUN of the Dockerfile, run in it, and becomes WORD... as
# PID 1 of namespaces of its own. All but WORKDIR, VOLUME and /tmp is read-only. It is run by
# `unshare --mount --net`, so that nothing of it is seen outside.
set -e
root=$1 binary=$2 making=$3 user=$4 group=$5 workdir=$6 volume=$7
shift 7
python3 -c 'import fcntl, socket, struct
SIOCSIFFLAGS, IFF_UP_AND_RUNNING = 0x8914, 0x41
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP_AND_RUNNING))'
mkdir -p "$root"
mount --bind "$root" "$root"
cd "$root"
mkdir -p usr etc proc dev/pts tmp
chmod 1777 tmp
mount --bind /usr usr
mount -o remount,bind,ro usr
mount -t tmpfs none usr/local/bin
touch usr/local/bin/llm-shell
mount --bind "$binary" usr/local/bin/llm-shell
for link in bin sbin lib lib64; do ln -sfn "usr/$link" "$link"; done
for device in null urandom; do touch "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts
ln -sfn pts/ptmx dev/ptmx
cp -r /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/login.defs /etc/ld.so.cache etc
chroot . /bin/sh -c "$making"
for writable in tmp "./$workdir" "./$volume"; do mount --bind "$writable" "$writable"; done
mount -o remount,bind,ro "$root" "$root"
exec unshare --pid --fork --kill-child --root="$root" --wd="$workdir" --mount-proc \
    setpriv --reuid "$user" --regid "$group" --clear-groups \
    --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
