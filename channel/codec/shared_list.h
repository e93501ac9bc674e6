#pragma once

#include <memory>

#include "channel/codec/wire.h"

namespace hedgerow::channel {

/// How the elements of a SharedList follow each other on the wire: one by one, but for types (specialised) whose elements
/// may refer to those before them.
template <typename T>
class Sequence {
  public:
    void write(Writer& out, const T& element) { wire_write(out, element); }
    void read(Reader& in, T& element) { wire_read(in, element); }
};

/// A list that never changes once it is made, with its wire encoding beside it: copies share both, and however often it
/// is sent, hashed or stored, it is encoded once. On the wire it is what a List is.
template <typename T, std::size_t Max>
class SharedList {
  public:
    static constexpr std::size_t kMax = Max;
    class Builder;

    SharedList() = default;
    SharedList(std::initializer_list<T> elements)
        : SharedList(std::vector<T>(elements)) {}  // NOLINT: a list like others
    explicit SharedList(std::vector<T> elements) {
        Writer out;
        Sequence<T> sequence;
        for (const T& element : elements) sequence.write(out, element);
        *this = SharedList(std::move(elements), std::move(out).take());
    }

    [[nodiscard]] std::size_t size() const { return m_content ? m_content->elements.size() : 0; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] const T* begin() const { return m_content ? m_content->elements.data() : nullptr; }
    [[nodiscard]] const T* end() const { return begin() + size(); }
    [[nodiscard]] const T& operator[](std::size_t index) const { return m_content->elements[index]; }
    [[nodiscard]] std::span<const T> view() const { return {begin(), size()}; }
    /// The elements one behind the other, without their number.
    [[nodiscard]] ByteView encoded() const { return m_content ? ByteView(m_content->encoded) : ByteView(); }
    bool operator==(const SharedList& other) const {
        return m_content == other.m_content || std::ranges::equal(view(), other.view());
    }

  private:
    template <typename U, std::size_t M>
    friend void wire_read(Reader& in, SharedList<U, M>& value);
    struct Content {
        std::vector<T> elements;
        Bytes encoded;
    };
    SharedList(std::vector<T> elements, Bytes encoded) {
        if (elements.empty()) return;
        ASSERT(elements.size() <= Max);
        m_content = std::make_shared<const Content>(Content{std::move(elements), std::move(encoded)});
    }

    std::shared_ptr<const Content> m_content;  ///< null: empty
};

/// Grows a list element by element, and knows what it takes on the wire.
template <typename T, std::size_t Max>
class SharedList<T, Max>::Builder {
  public:
    /// Makes room for so many, of which there may be fewer in the end.
    void reserve(std::size_t size) { m_elements.reserve(std::min(size, Max)); }
    [[nodiscard]] std::size_t size() const { return m_elements.size(); }
    [[nodiscard]] std::size_t bytes() const { return m_out.bytes().size(); }
    void push_back(T element) {
        m_sequence.write(m_out, element);
        m_elements.push_back(std::move(element));
    }
    [[nodiscard]] SharedList finish() && { return {std::move(m_elements), std::move(m_out).take()}; }

  private:
    std::vector<T> m_elements;
    Writer m_out;
    Sequence<T> m_sequence;
};

template <typename T, std::size_t Max>
void wire_write(Writer& out, const SharedList<T, Max>& value) {
    out.varint(value.size());
    out.raw(value.encoded());
}

template <typename T, std::size_t Max>
void wire_read(Reader& in, SharedList<T, Max>& value) {
    const std::size_t size = in.length(Max);
    const ByteView before = in.rest();
    std::vector<T> elements;
    elements.reserve(
        std::min(size, in.remaining()));  // an element takes at least a byte, so a lying length allocates nothing
    Sequence<T> sequence;
    for (std::size_t i = 0; i < size && in.ok(); ++i) sequence.read(in, elements.emplace_back());
    value = {};
    if (!in.ok()) return;
    const ByteView encoded =
        before.first(before.size() - in.remaining());  // canonical: what was read is what would be written
    value = SharedList<T, Max>(std::move(elements), Bytes(encoded.begin(), encoded.end()));
}

}  // namespace hedgerow::channel
