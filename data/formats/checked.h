// What every reader of a file's own numbers needs: a product that cannot overflow, and one way to refuse.
#pragma once

#include "src/error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// `item` times every size of `shape`, or -1 when a size is negative or the product is no int64.
inline std::int64_t checked_product(const std::vector<std::int64_t>& shape, std::int64_t item) {
    std::int64_t product = item;
    bool empty = false;
    for (const std::int64_t size : shape) {
        if (size < 0) return -1;
        empty = empty || size == 0;
        if (size > 0 && __builtin_mul_overflow(product, size, &product)) return -1;
    }
    return empty ? 0 : product;
}

/// Throws Error(data) "cannot open PATH: WHY".
[[noreturn]] inline void refuse(const std::string& path, const std::string& why, const std::string& hint = "") {
    throw Error(ExitCode::data, "cannot open " + path + ": " + why, "", hint);
}

}  // namespace nowcell
