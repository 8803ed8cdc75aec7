"""Bundles for the OCI runtimes: busybox, and the default spec of kist-runtime with limits, the same for all."""
import json
import re
import shutil
import subprocess

# What the field's default profiles keep from containers; the rest of the kernel's table is allowed. Some 310 names, as theirs.
REFUSED = """acct add_key bpf clock_adjtime clock_settime create_module delete_module finit_module fsconfig fsmount fsopen fspick get_kernel_syms
get_mempolicy init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind mount mount_setattr move_mount move_pages nfsservctl
open_by_handle_at open_tree perf_event_open pivot_root process_vm_readv process_vm_writev ptrace query_module quotactl reboot request_key
set_mempolicy setns settimeofday swapoff swapon sysfs _sysctl umount2 unshare uselib userfaultfd ustat vhangup""".split()
SYSTEM_CALLS = "/usr/include/asm-generic/unistd.h", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"


def seccomp():
    names = set()
    for header in SYSTEM_CALLS:
        try:
            names |= set(re.findall(r"#define __NR_(\w+)\s", open(header).read()))
        except OSError:
            pass
    names -= {*REFUSED, "clone", "syscalls", "arch_specific_syscall"}
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            {"names": sorted(names), "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
        ],
    }


def make(bench, name, args, change=lambda config: None):
    bundle = bench.directory / name
    rootfs = bundle / "rootfs"
    for d in ("bin", "proc", "sys", "dev", "etc", "tmp", "one", "two"):
        (rootfs / d).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), rootfs / "bin/busybox")
    for link in ("true", "sleep"):
        (rootfs / "bin" / link).symlink_to("busybox")
    subprocess.run([bench.kist("kist-runtime"), "spec"], cwd=bundle, check=True, stdout=subprocess.DEVNULL)
    config = json.loads((bundle / "config.json").read_text())
    config["ociVersion"] = "1.0.2"  # as far as Debian's crun knows
    config["process"]["terminal"] = False
    config["process"]["args"] = args
    config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "cpu": {"shares": 512, "quota": 50000, "period": 100000}, "pids": {"limit": 100}}
    change(config)
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle
