#pragma once

#include <deque>
#include <memory>

namespace hedgerow::channel {

/// A deque that is one pointer while it is empty: std::deque holds some 600 bytes even then, and of the queues of a
/// node's channels nearly all are empty nearly always.
template <typename T>
class Queue {
  public:
    using iterator = typename std::deque<T>::iterator;
    using const_iterator = typename std::deque<T>::const_iterator;

    Queue() = default;
    Queue(const Queue& other) : m_items(other.m_items ? std::make_unique<std::deque<T>>(*other.m_items) : nullptr) {}
    Queue(Queue&&) noexcept = default;
    Queue& operator=(Queue other) noexcept {
        m_items = std::move(other.m_items);
        return *this;
    }
    ~Queue() = default;

    [[nodiscard]] bool empty() const { return m_items == nullptr; }
    [[nodiscard]] std::size_t size() const { return m_items ? m_items->size() : 0; }
    [[nodiscard]] iterator begin() { return m_items ? m_items->begin() : iterator(); }
    [[nodiscard]] iterator end() { return m_items ? m_items->end() : iterator(); }
    [[nodiscard]] const_iterator begin() const { return m_items ? m_items->cbegin() : const_iterator(); }
    [[nodiscard]] const_iterator end() const { return m_items ? m_items->cend() : const_iterator(); }
    [[nodiscard]] auto rbegin() const { return std::make_reverse_iterator(end()); }
    [[nodiscard]] auto rend() const { return std::make_reverse_iterator(begin()); }
    [[nodiscard]] T& front() { return m_items->front(); }
    [[nodiscard]] const T& front() const { return m_items->front(); }
    [[nodiscard]] T& back() { return m_items->back(); }
    [[nodiscard]] const T& back() const { return m_items->back(); }
    [[nodiscard]] T& operator[](std::size_t index) { return (*m_items)[index]; }
    [[nodiscard]] const T& operator[](std::size_t index) const { return (*m_items)[index]; }

    void push_back(T item) {
        if (!m_items) m_items = std::make_unique<std::deque<T>>();
        m_items->push_back(std::move(item));
    }
    void pop_front() {
        m_items->pop_front();
        release_empty();
    }
    /// All of `first` before what is here.
    void prepend(Queue first) {
        if (first.empty()) return;
        std::swap(m_items, first.m_items);
        for (T& item : first) m_items->push_back(std::move(item));
    }
    void erase(iterator at) {
        m_items->erase(at);
        release_empty();
    }
    template <typename Condition>
    void erase_if(Condition condition) {
        if (!m_items) return;
        std::erase_if(*m_items, condition);
        release_empty();
    }
    void clear() { m_items.reset(); }

  private:
    void release_empty() {
        if (m_items->empty()) m_items.reset();
    }
    std::unique_ptr<std::deque<T>> m_items;  ///< null: empty
};

}  // namespace hedgerow::channel
