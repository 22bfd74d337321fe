/* A processor with AVX-512, played as one that ends at AVX2, at full speed: what int8 gains without VNNI.

       gcc -O1 -shared -fPIC benchmarks/claims/hide_avx512.c -o hide.so
       LD_PRELOAD=$PWD/hide.so segbench --backend tflite --backend onnx --threads 1

   XNNPACK, onnxruntime, OpenCV and numpy ask CPUID what they may use. Linux lets a program trap its own CPUID (arch_prctl(2),
   ARCH_SET_CPUID; Intel, and the flag cpuid_fault in /proc/cpuinfo); the trap asks again and clears the bits of AVX-512, AMX and
   AVX-VNNI (Intel's manual, volume 2, CPUID). /proc/cpuinfo stays as it is, so segedge still names the processor's own flags. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define BIT(n) (1u << (n))

static const unsigned AVX512_EBX = BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31);
static const unsigned AVX512_ECX = BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14);
static const unsigned AVX512_AMX_EDX = BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25);
static const unsigned AVX_VNNI_EAX = BIT(4) | BIT(5);
static const unsigned ZMM_STATE = BIT(5) | BIT(6) | BIT(7);

static void answer(int signal_number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *instruction = (const uint8_t *)registers[REG_RIP];
    unsigned leaf = registers[REG_RAX], part = registers[REG_RCX], a, b, c, d;
    (void)info;
    if (instruction[0] != 0x0f || instruction[1] != 0xa2) { /* no CPUID: a real fault */
        signal(signal_number, SIG_DFL);
        return;
    }
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, part, a, b, c, d);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    if (leaf == 7 && part == 0) {
        b &= ~AVX512_EBX;
        c &= ~AVX512_ECX;
        d &= ~AVX512_AMX_EDX;
    } else if (leaf == 7 && part == 1) {
        a &= ~AVX_VNNI_EAX;
        d = 0; /* AVX-VNNI-INT8, AVX10 */
    } else if (leaf == 0xd && part == 0) {
        a &= ~ZMM_STATE;
    }
    registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void hide(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0) {
        perror("hide_avx512: this processor or kernel cannot trap CPUID");
        exit(1);
    }
}
