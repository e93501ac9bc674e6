#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "rpc/error.h"
#include "rpc/http_client.h"

namespace hedgerow::rpc {

struct CallError {
    enum class Kind : std::uint8_t {
        connect,       ///< no connection: nothing was asked
        unauthorised,  ///< no cookie, or a wrong one: nothing was done
        transport,     ///< the answer never came or made no sense: the outcome is unknown
        rpc,           ///< the node's own error
    };
    Kind kind = Kind::transport;
    RpcError error;  ///< of every kind has a name, a message and an outcome
};

struct RpcClientOptions {
    std::string url;                    ///< http://127.0.0.1:9736
    std::filesystem::path cookie_path;  ///< read when first needed, and again after a 401: the node may have restarted
    std::string bearer_token = {};      ///< instead of the cookie
    HttpClientOptions http = {};
};

/// Blocking JSON-RPC 2.0 client. Not for two threads at once.
class RpcClient {
  public:
    explicit RpcClient(RpcClientOptions options);
    ~RpcClient();
    RpcClient(RpcClient&&) noexcept;

    /// `params` is an object, an array, or null for none. Sent once, never repeated after it may have arrived.
    [[nodiscard]] channel::Expected<Json, CallError> call(std::string_view method, const Json& params);

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace hedgerow::rpc
