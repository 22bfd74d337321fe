// Loops that the compiler turns into vectors, on x86-64 once more for AVX2, chosen when the library is loaded. Without fused
// multiplications (CMakeLists.txt) both give the same bits.
#pragma once

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which are not ready when the choice is made
#define SEGEDGE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define SEGEDGE_VECTORS
#endif
