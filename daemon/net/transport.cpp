#include "daemon/net/transport.h"

#include <sodium.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <thread>

#include "daemon/net/hub.h"
#include "daemon/net/loop.h"
#include "daemon/net/peer_uri.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::Expected;
using channel::NodeId;
using channel::Rule;
using channel::Unexpected;

class ZmqTransport::Impl {
  public:
    Impl(const TransportConfig& config, const TransportKeys& keys)
        : m_node_id(keys.node_id()), m_hub(config), m_loop(config, keys, m_hub), m_thread([this] { m_loop.run(); }) {}
    ~Impl() {
        m_hub.request_stop();
        m_thread.join();
    }

    const NodeId m_node_id;
    Hub m_hub;
    TransportLoop m_loop;
    std::thread m_thread;  // last: starts when all else is there
};

ZmqTransport::ZmqTransport(const TransportConfig& config, const TransportKeys& keys) {
    if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
    m_impl = std::make_unique<Impl>(config, keys);
}

ZmqTransport::~ZmqTransport() = default;

std::uint16_t ZmqTransport::port() const {
    return m_impl->m_loop.port();
}
const NodeId& ZmqTransport::node_id() const {
    return m_impl->m_node_id;
}

Expected<void, Rule> ZmqTransport::connect(const NodeId& peer, const std::string& host, std::uint16_t port) {
    if (peer == m_impl->m_node_id) return Unexpected{Rule::peer_is_self};
    if (!curve_key_of(peer)) return Unexpected{Rule::node_id_malformed};
    if (!is_valid_host(host)) return Unexpected{Rule::host_malformed};
    if (port == 0) return Unexpected{Rule::port_out_of_range};
    return m_impl->m_hub.connect({Hub::Command::Kind::connect, peer, host, port});
}

void ZmqTransport::disconnect(const NodeId& peer) {
    m_impl->m_hub.disconnect(peer);
}

void ZmqTransport::begin_batch() {
    m_impl->m_hub.begin_batch();
}

void ZmqTransport::end_batch() {
    m_impl->m_hub.end_batch();
}

Expected<void, Rule> ZmqTransport::send(const NodeId& peer, Bytes frame) {
    return m_impl->m_hub.send(peer, std::move(frame));
}

int ZmqTransport::event_fd() const {
    return m_impl->m_hub.event_fd();
}
void ZmqTransport::drain(std::vector<Inbound>& out) {
    m_impl->m_hub.drain(out);
}
std::vector<PeerInfo> ZmqTransport::peers() const {
    return m_impl->m_hub.peers();
}

}  // namespace hedgerow::daemon
