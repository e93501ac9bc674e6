#pragma once

#include <memory>

#include "channel/base/ids.h"
#include "channel/codec/wire.h"

namespace hedgerow::channel {

/// A list whose copies are one list until one of them is changed, and which remembers its encoding and a hash of it:
/// what does not change in a state of many entries costs nothing, however often that is copied, stored and signed. On
/// the wire it is what a List is. All copies of one list belong to one thread.
template <typename T, std::size_t Max>
class CowList {
  public:
    static constexpr std::size_t kMax = Max;

    [[nodiscard]] std::size_t size() const { return m_content ? m_content->elements.size() : 0; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] const T* data() const { return m_content ? m_content->elements.data() : nullptr; }
    [[nodiscard]] const T* begin() const { return data(); }
    [[nodiscard]] const T* end() const { return data() + size(); }
    [[nodiscard]] const T& operator[](std::size_t index) const { return m_content->elements[index]; }
    [[nodiscard]] const T& back() const { return m_content->elements.back(); }
    bool operator==(const CowList& other) const {
        return m_content == other.m_content || std::equal(begin(), end(), other.begin(), other.end());
    }

    /// To be changed, at once: this copy's own from now on.
    [[nodiscard]] List<T, Max>& edit() {
        if (!m_content)
            m_content = std::make_shared<Content>();
        else if (m_content.use_count() > 1)
            m_content = std::make_shared<Content>(Content{m_content->elements, {}, {}});
        m_content->encoded.reset();
        m_content->hash.reset();
        return m_content->elements;
    }

    /// As a List on the wire, with its number of elements: computed once for all that have this list.
    [[nodiscard]] const std::shared_ptr<const Bytes>& encoded() const {
        static const auto kNone = std::make_shared<const Bytes>(Bytes{0});
        if (empty()) return kNone;
        if (!m_content->encoded) {
            const Bytes bytes = wire_encode(m_content->elements);
            m_content->encoded = std::make_shared<const Bytes>(bytes.begin(), bytes.end());  // no larger than it is
        }
        return m_content->encoded;
    }
    /// hash(elements), computed once for what both have. `hash` is always the same for lists of one type.
    template <typename Fn>
    [[nodiscard]] Hash hashed(Fn&& hash) const {
        if (!m_content) return hash(std::span<const T>());
        if (!m_content->hash) m_content->hash = hash(std::span<const T>(m_content->elements));
        return *m_content->hash;
    }

  private:
    struct Content {
        List<T, Max> elements;
        std::shared_ptr<const Bytes> encoded = {};  ///< null: not yet
        std::optional<Hash> hash = {};
    };
    std::shared_ptr<Content> m_content;  ///< null: empty
};

template <typename T, std::size_t Max>
void wire_write(Writer& out, const CowList<T, Max>& value) {
    out.list(value.encoded());
}

template <typename T, std::size_t Max>
void wire_read(Reader& in, CowList<T, Max>& value) {
    List<T, Max> elements;
    wire_read(in, elements);
    value = {};
    if (!elements.empty()) value.edit() = std::move(elements);
}

}  // namespace hedgerow::channel
