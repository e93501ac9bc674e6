#pragma once

#include "daemon/node/node_parts.h"
#include "daemon/oracle/oracle_client.h"

namespace hedgerow::daemon {

/// The price book and the oracles' histories, for disputes. The client may come later, or never.
class BookPackages final : public PackageSource {
  public:
    BookPackages(PriceBook& book, OracleClient*& client) : m_book(book), m_client(client) {}
    std::vector<channel::Bytes> packages(const channel::Feed& feed, std::uint64_t time_s,
                                         std::span<const channel::Address> oracles) override {
        return m_book.packages(feed, time_s, oracles);
    }
    void fetch(const channel::Feed& feed, std::uint64_t time_s) override {
        if (m_client == nullptr) return;
        // Where the queue is full a later look at the dispute asks again.
        (void)m_client->request_history(feed, time_s);
    }

  private:
    PriceBook& m_book;
    OracleClient*& m_client;
};

}  // namespace hedgerow::daemon
