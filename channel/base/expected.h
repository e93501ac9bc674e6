#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "channel/base/assert.h"

namespace hedgerow::channel {

template <typename E>
struct Unexpected {
    E error;
};
template <typename E>
Unexpected(E) -> Unexpected<E>;

/// The part of C++23's std::expected that Hedgerow uses (GCC 12 has none), with its names. Reading the wrong side asserts.
template <typename T, typename E>
class [[nodiscard]] Expected {
  public:
    // Implicit on purpose, as in std::expected: `return value;` and `return Unexpected{rule};`.
    Expected(T value) : m_data(std::in_place_index<0>, std::move(value)) {}
    Expected(Unexpected<E> unexpected) : m_data(std::in_place_index<1>, std::move(unexpected.error)) {}

    [[nodiscard]] bool has_value() const { return m_data.index() == 0; }
    explicit operator bool() const { return has_value(); }

    [[nodiscard]] T& value() & { return *get(); }
    [[nodiscard]] const T& value() const& { return *get(); }
    [[nodiscard]] T&& value() && { return std::move(*get()); }
    T& operator*() & { return *get(); }
    const T& operator*() const& { return *get(); }
    T&& operator*() && { return std::move(*get()); }
    T* operator->() { return get(); }
    const T* operator->() const { return get(); }

    [[nodiscard]] const E& error() const {
        const E* e = std::get_if<1>(&m_data);
        ASSERT(e != nullptr);
        return *e;
    }
    [[nodiscard]] T value_or(T fallback) const { return has_value() ? *get() : std::move(fallback); }

  private:
    T* get() {
        T* p = std::get_if<0>(&m_data);
        ASSERT(p != nullptr);
        return p;
    }
    const T* get() const {
        const T* p = std::get_if<0>(&m_data);
        ASSERT(p != nullptr);
        return p;
    }
    std::variant<T, E> m_data;
};

template <typename E>
class [[nodiscard]] Expected<void, E> {
  public:
    Expected() = default;
    Expected(Unexpected<E> unexpected) : m_has_value(false), m_error(std::move(unexpected.error)) {}

    [[nodiscard]] bool has_value() const { return m_has_value; }
    explicit operator bool() const { return m_has_value; }
    [[nodiscard]] const E& error() const {
        ASSERT(!m_has_value);
        return m_error;
    }

  private:
    bool m_has_value = true;
    E m_error{};
};

}  // namespace hedgerow::channel
