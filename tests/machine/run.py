#!/usr/bin/env python3
"""Tests both units under a real systemd, in an emulated machine: `run.py BINARY`.

Makes a Debian from its packages (debootstrap), puts the binary, the units and `checks.sh` in it,
boots it with Debian's own kernel in QEMU without a disk or a network, and prints what `checks.sh`
saw. Ends with 1 where a check failed. Needs root, for debootstrap; the names of the packages are in
the Makefile.
"""

import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
WORK = PROJECT / "target/machine"
SUITE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,curl,ca-certificates,python3-minimal,procps"
KERNEL = "linux-image-cloud-amd64"
# A minute and a half where the machine has its cores for itself; software emulation throughout.
SECONDS_MAX = 900


def made_root(root):
    if not (root / "root").is_dir():
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root], check=True
        )
        for user in ["llm-shell", "astra"]:
            subprocess.run(["chroot", root, "useradd", "--system", user], check=True)


def made_kernel(folder):
    found = sorted(folder.glob("boot/vmlinuz-*"))
    if not found:
        depends = subprocess.run(
            ["apt-cache", "depends", KERNEL], check=True, capture_output=True, text=True
        )
        package = depends.stdout.split("Depends: ")[1].split()[0]
        subprocess.run(["apt-get", "download", "-qq", package], cwd=WORK, check=True)
        archive = next(WORK.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
        archive.unlink()
        found = sorted(folder.glob("boot/vmlinuz-*"))
    return found[-1]


def install(root, binary):
    units = root / "etc/systemd/system"
    shutil.copy(binary, root / "usr/local/bin/llm-shell")
    shutil.copy(PROJECT / "llm-shell.service", units)
    shutil.copy(PROJECT / "examples/systemd/astra.service", units)
    tests = root / "opt/tests"
    shutil.rmtree(tests, ignore_errors=True)
    shutil.copytree(PROJECT / "examples/systemd", tests)
    for file in ["checks.sh", "checks.service", "astra_services.json"]:
        shutil.copy(HERE / file, tests)
    shutil.copy(PROJECT / "tests/fixtures/daemon.py", tests)
    (root / "etc/astra").mkdir(exist_ok=True)
    shutil.copy(HERE / "astra_services.json", root / "etc/astra")
    shutil.copy(HERE / "checks.service", units)
    subprocess.run(
        ["systemctl", f"--root={root}", "--quiet", "enable", "checks.service"], check=True
    )


def packed(root):
    image = WORK / "initrd"
    files = "find . -path ./var/cache -prune -o -path ./usr/share/doc -prune -o -print0"
    pack = f"{files} | cpio --null -o -H newc --quiet"
    with image.open("wb") as to:
        subprocess.run(["sh", "-c", pack], cwd=root, stdout=to, check=True)
    return image


def boot(kernel, image):
    """Yields the lines of the checks, without those of the kernel and systemd."""
    command = [
        "timeout",
        str(SECONDS_MAX),
        "qemu-system-x86_64",
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "Nehalem",
        "-m",
        "3000",
        "-smp",
        "2",
        "-nographic",
        "-no-reboot",
        "-nic",
        "none",
        "-kernel",
        kernel,
        "-initrd",
        image,
        "-append",
        "console=ttyS0 rdinit=/lib/systemd/systemd quiet systemd.show_status=0",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        for line in machine.stdout:
            yield line.decode(errors="replace").strip()


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    WORK.mkdir(parents=True, exist_ok=True)
    root = WORK / "root"
    made_root(root)
    kernel = made_kernel(WORK / "kernel")
    install(root, binary)
    passed = failed = 0
    is_over = False
    for line in boot(kernel, packed(root)):
        if line.startswith(("ok ", "not ok ", "# ")):
            print(line, flush=True)
        passed += line.startswith("ok ")
        failed += line.startswith("not ok ")
        is_over |= line == "# over"
    print(f"{passed} passed, {failed} failed")
    return 0 if is_over and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
