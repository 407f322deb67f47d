// One self-contained HTML page.
#pragma once

#include "predict/report/section.h"

#include <string>
#include <vector>

namespace nowcell {

/// The largest page that is written, bytes.
inline constexpr std::size_t kMostPage = 2'000'000;

/// A finished page and what it holds.
struct Page {
    std::string html;
    std::size_t figures = 0;
    std::vector<std::string> left_out;  ///< what found no room, and why
};

/// A page of at most kMostPage bytes without scripts, links or requests; light or dark as the reader's system asks.
/// Figures that do not fit are reduced or left out with a note; so are tables, after them.
Page page_of(const std::string& title, const std::string& made, const std::vector<Section>& sections);

}  // namespace nowcell
