#include "daemon/chain/http_transport.h"

#include "rpc/http_client.h"

namespace hedgerow::daemon {

using wallet::ChainExpected;
using wallet::ChainFault;
using wallet::ChainReply;

namespace {

rpc::HttpClientOptions options_for(std::uint32_t timeout_ms) {
    rpc::HttpClientOptions out;
    out.connect_timeout_ms = timeout_ms;
    out.request_timeout_ms = timeout_ms;
    out.max_response_bytes = wallet::EthClient::kMaxResponseBytes;
    return out;
}

class HttpTransport final : public wallet::ChainTransport {
  public:
    HttpTransport(const std::string& url, std::uint32_t timeout_ms) : m_client(url, options_for(timeout_ms)) {}

    ChainExpected<ChainReply> post(const std::string& body) override {
        auto response = m_client.post(body);
        if (response) return ChainReply{static_cast<int>(response->status), std::move(response->body)};
        const bool large = response.error().code == rpc::HttpErrorCode::response_too_large;
        return wallet::chain_error(large ? ChainFault::chain_response_too_large : ChainFault::chain_unreachable,
                                   response.error().message);
    }

  private:
    rpc::HttpClient m_client;
};

}  // namespace

std::unique_ptr<wallet::ChainTransport> make_http_transport(const std::string& url, std::uint32_t timeout_ms) {
    return std::make_unique<HttpTransport>(url, timeout_ms);
}

}  // namespace hedgerow::daemon
