#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// Mutations of inputs that are one byte and then records of a fixed size: whole records are inserted, repeated, dropped and
/// moved, so that a schedule stays a schedule; within a record libFuzzer's own mutations apply.
namespace hedgerow::fuzz {

template <std::size_t Size>
std::size_t mutate_records(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
    std::minstd_rand random(seed);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    const std::size_t count = size == 0 ? 0 : (size - 1) / Size;
    const std::size_t room = max_size == 0 ? 0 : (max_size - 1) / Size;
    if (count == 0 || below(16) == 0) return LLVMFuzzerMutate(data, size, max_size);
    std::uint8_t* records = data + 1;
    const auto at = [&](std::size_t i) { return records + i * Size; };
    const std::size_t i = below(count);
    switch (below(8)) {
        case 0: {  // a copy of one or a few, somewhere else
            const std::size_t copied = std::min({1 + below(4), count - i, room - count});
            if (copied == 0) break;
            std::uint8_t kept[4 * Size];
            std::memcpy(kept, at(i), copied * Size);
            const std::size_t to = below(count + 1);
            std::memmove(at(to + copied), at(to), (count - to) * Size);
            std::memcpy(at(to), kept, copied * Size);
            return 1 + (count + copied) * Size;
        }
        case 1: {  // a new one
            if (count == room) break;
            std::memmove(at(i + 1), at(i), (count - i) * Size);
            for (std::size_t k = 0; k < Size; ++k) at(i)[k] = static_cast<std::uint8_t>(random());
            return 1 + (count + 1) * Size;
        }
        case 2: {  // without one or a few
            const std::size_t dropped = std::min(1 + below(4), count - i);
            std::memmove(at(i), at(i + dropped), (count - i - dropped) * Size);
            return 1 + (count - dropped) * Size;
        }
        case 3: {
            const std::size_t k = below(count);
            if (k != i) std::swap_ranges(at(i), at(i) + Size, at(k));
            break;
        }
        case 4:  // another command with the same arguments
            at(i)[0] = static_cast<std::uint8_t>(random());
            break;
        case 5:
            at(i)[1] = static_cast<std::uint8_t>(random());
            break;
        default:
            LLVMFuzzerMutate(at(i), Size, Size);
            break;
    }
    return size;
}

/// The beginning of one and the end of the other, cut between records.
template <std::size_t Size>
std::size_t cross_records(std::span<const std::uint8_t> one, std::span<const std::uint8_t> two,
                          std::span<std::uint8_t> out, unsigned seed) {
    if (one.empty() || two.empty() || out.empty()) return 0;
    std::minstd_rand random(seed);
    const std::size_t room = (out.size() - 1) / Size;
    const std::size_t head = std::min(random() % ((one.size() - 1) / Size + 1), room);
    const std::size_t from = random() % ((two.size() - 1) / Size + 1);
    const std::size_t tail = std::min((two.size() - 1) / Size - from, room - head);
    out[0] = one[0];
    std::copy_n(one.begin() + 1, head * Size, out.begin() + 1);
    std::copy_n(two.begin() + static_cast<std::ptrdiff_t>(1 + from * Size), tail * Size,
                out.begin() + static_cast<std::ptrdiff_t>(1 + head * Size));
    return 1 + (head + tail) * Size;
}

}  // namespace hedgerow::fuzz
