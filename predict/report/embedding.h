// Figures inside a page that may not grow beyond a size.
#pragma once

#include "predict/pictures/chart.h"
#include "predict/report/markup.h"

#include <cstddef>
#include <string>
#include <vector>

namespace nowcell {

/// Something to look at: a drawing of ours, or else a PNG or GIF file.
struct Figure {
    Picture drawing = {};
    std::string path = {};
    std::string alt = {};      ///< what it shows, for those who do not see it
    std::string caption = {};  ///< below it
    bool half = false;         ///< two stand side by side where there is room
    bool moving = false;       ///< not shown to those who want no motion, nor printed
};

/// Makes figures until the page is full, and remembers what found no room.
class Embedding {
 public:
    /// most: bytes that all figures may take together.
    explicit Embedding(std::size_t most) : left_(most) {}

    /// How many files are still to come: they share evenly what is left.
    void expect_files(std::size_t files) { files_ = files; }

    /// The figure, or a note in its place. A PNG that is too large is reduced, a GIF left out.
    Markup figure(const Figure& figure);

    std::size_t shown() const { return shown_; }
    const std::vector<std::string>& left_out() const { return left_out_; }

 private:
    Markup drawing(const Figure& figure);
    Markup file(const Figure& figure);
    Markup framed(const Figure& figure, const Markup& content);
    Markup leave_out(const Figure& figure, const std::string& why);

    std::size_t left_, files_ = 0, shown_ = 0;
    std::vector<std::string> left_out_;
};

}  // namespace nowcell
