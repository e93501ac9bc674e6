// The core's step against the naive model of core_model.h: an input is a byte of set-up and then a schedule of commands, see
// core_world.h. Mutations keep to whole commands most of the time.
#include <algorithm>

#include "tests/fuzz/core_world.h"

using hedgerow::fuzz::CoreWorld;
using hedgerow::fuzz::Record;

namespace {

constexpr std::size_t kMaxRecords = 400;

std::size_t records_in(std::size_t size) {
    return size == 0 ? 0 : std::min((size - 1) / Record::kSize, kMaxRecords);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    CoreWorld world(data[0]);
    for (std::size_t i = 0; i < records_in(size); ++i) world.perform(Record::read(data + 1 + i * Record::kSize));
    world.finish();
    return 0;
}

#ifdef HEDGEROW_FUZZ
#include "tests/fuzz/record_mutator.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
    return hedgerow::fuzz::mutate_records<Record::kSize>(data, size, max_size, seed);
}
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t one_size, const std::uint8_t* two,
                                                 std::size_t two_size, std::uint8_t* out, std::size_t max_out, unsigned seed) {
    return hedgerow::fuzz::cross_records<Record::kSize>({one, one_size}, {two, two_size}, {out, max_out}, seed);
}
#endif
