#include "tests/bench/counters.h"

#include <dlfcn.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

// This program's own definitions come before the libraries': SQLite's calls and our own pass through here.
namespace {

std::atomic<std::uint64_t> flushes, signatures, verifications;

template <typename Fn>
Fn* next(const char* name) {
    return reinterpret_cast<Fn*>(::dlsym(RTLD_NEXT, name));
}

int counted(long result) {
    if (result == 0) flushes.fetch_add(1, std::memory_order_relaxed);
    return static_cast<int>(result);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int fdatasync(int fd) {
    return counted(::syscall(SYS_fdatasync, fd));
}
__attribute__((visibility("default"))) int fsync(int fd) {
    return counted(::syscall(SYS_fsync, fd));
}

__attribute__((visibility("default"))) int secp256k1_ecdsa_sign_recoverable(
    const secp256k1_context* context, secp256k1_ecdsa_recoverable_signature* out, const unsigned char* digest,
    const unsigned char* key, secp256k1_nonce_function nonce, const void* data) {
    static auto* const real = next<decltype(secp256k1_ecdsa_sign_recoverable)>("secp256k1_ecdsa_sign_recoverable");
    signatures.fetch_add(1, std::memory_order_relaxed);
    return real(context, out, digest, key, nonce, data);
}

__attribute__((visibility("default"))) int secp256k1_ecdsa_verify(const secp256k1_context* context,
                                                                  const secp256k1_ecdsa_signature* signature,
                                                                  const unsigned char* digest,
                                                                  const secp256k1_pubkey* key) {
    static auto* const real = next<decltype(secp256k1_ecdsa_verify)>("secp256k1_ecdsa_verify");
    verifications.fetch_add(1, std::memory_order_relaxed);
    return real(context, signature, digest, key);
}

__attribute__((visibility("default"))) int secp256k1_ecdsa_recover(
    const secp256k1_context* context, secp256k1_pubkey* out, const secp256k1_ecdsa_recoverable_signature* signature,
    const unsigned char* digest) {
    static auto* const real = next<decltype(secp256k1_ecdsa_recover)>("secp256k1_ecdsa_recover");
    verifications.fetch_add(1, std::memory_order_relaxed);
    return real(context, out, signature, digest);
}
}

namespace hedgerow::bench {

Counters counters() {
    return {flushes.load(), signatures.load(), verifications.load()};
}

}  // namespace hedgerow::bench
