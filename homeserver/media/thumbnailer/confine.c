#include "homeserver/media/thumbnailer/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY_MAX (UINT64_C(768) << 20)
#define CPU_S 5
#define OUTPUT_MAX (16u << 20)

#if defined __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* AddressSanitizer reserves terabytes, and puts its signal stack away at the end. */
#if defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined __SANITIZE_ADDRESS__
#define SANITIZED
#endif

static bool limit(int what, uint64_t most)
{
    const struct rlimit bound = {most, most};
    return setrlimit(what, &bound) == 0;
}

static bool limit_all(void)
{
#ifndef SANITIZED
    if (!limit(RLIMIT_AS, MEMORY_MAX))
        return false;
#endif
    return limit(RLIMIT_CPU, CPU_S) && limit(RLIMIT_FSIZE, OUTPUT_MAX) && limit(RLIMIT_CORE, 0) &&
           limit(RLIMIT_NOFILE, 3) && limit(RLIMIT_NPROC, 0);
}

/* No file can be opened, made or removed from here on. Kernels without it: the filter below holds alone. */
static void lock_files(void)
{
    const struct landlock_ruleset_attr all = {.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules >= 0) {
        syscall(SYS_landlock_restrict_self, rules, 0);
        close(rules);
    }
}

#ifdef ARCH
#define AT(member) ((uint32_t)offsetof(struct seccomp_data, member))
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define DENY(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)SYS_##name, 0, 1), ALLOW

/* What is known to be needed; everything else fails, whatever kernels come to have. */
static bool filter_calls(void)
{
    struct sock_filter code[] = {
        LOAD(AT(arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
        KILL,
        LOAD(AT(nr)),
        CALL(read),
        CALL(write),
        CALL(lseek),
        CALL(fstat),
        CALL(munmap),
        CALL(mremap),
        CALL(brk),
        CALL(madvise),
        CALL(futex),
        CALL(rt_sigreturn),
        CALL(exit),
        CALL(exit_group),
#ifdef SANITIZED
        CALL(sigaltstack),
#endif
        /* Memory that can be run is not to be had. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
        LOAD(AT(args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
        ALLOW,
        DENY(EPERM),
    };
    const struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
static bool filter_calls(void)
{
    return true; /* an architecture that nobody has looked at yet */
}
#endif

bool confine(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return false;
    lock_files();
    return limit_all() && filter_calls();
}
