// Options that are one of a few names.
#pragma once

#include <c10/util/ArrayRef.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace nowcell {

/// The enumerator at the name's place in `names`, which stand in the order of the enumeration.
/// Throws c10::ValueError that lists them. what: the option.
template <class Enum>
Enum choice(const char* what, std::string_view name, const std::vector<std::string>& names) {
    const auto found = std::find(names.begin(), names.end(), name);
    TORCH_CHECK_VALUE(found != names.end(), what, ": got \"", name, "\", expected one of ",
                      c10::ArrayRef<std::string>(names));
    return static_cast<Enum>(found - names.begin());
}

}  // namespace nowcell
