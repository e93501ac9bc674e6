#include "daemon/oracle/signer_finder.h"

#include <algorithm>

#include "channel/crypto/signature.h"

namespace hedgerow::daemon {

using channel::Address;
using channel::Expected;
using channel::PublicKey;
using channel::Rule;
using channel::SignedPackage;
using channel::Unexpected;

std::optional<SignerFinder::Known> SignerFinder::known(std::optional<OracleSource> source) const {
    if (!source || *source >= kMaxSources) return std::nullopt;
    const std::lock_guard lock(m_mutex);
    return m_known[*source];
}

/// A source that carries several oracles' packages in turn is never steady: a wrong guess costs a verification.
void SignerFinder::remember(std::optional<OracleSource> source, const Address& signer, const PublicKey& key) {
    if (!source || *source >= kMaxSources) return;
    const std::lock_guard lock(m_mutex);
    std::optional<Known>& known = m_known[*source];
    known = Known{signer, key, known && known->signer == signer};
}

Expected<Address, Rule> SignerFinder::recover(const SignedPackage& package, std::optional<OracleSource> source) {
    const auto key = channel::recover(package_digest(package.data), package.signature);
    if (!key) return Unexpected{Rule::bad_signature};
    const Address signer = address_of(*key);
    if (std::find(m_oracles.begin(), m_oracles.end(), signer) == m_oracles.end())
        return Unexpected{Rule::package_unknown_signer};
    remember(source, signer, *key);
    return signer;
}

Expected<Address, Rule> SignerFinder::find(const SignedPackage& package, std::optional<OracleSource> source) {
    const auto guess = known(source);
    if (guess && guess->steady && channel::verify_package(package, guess->key) == Rule::none) return guess->signer;
    return recover(package, source);
}

}  // namespace hedgerow::daemon
