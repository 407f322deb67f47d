#include "predict/pictures/chart.h"
#include "predict/pictures/pictures.h"

namespace nowcell {

void write_plot(const std::string& path, const std::string& title, const std::string& x_label,
                const std::string& y_label, const std::vector<Curve>& curves) {
    write_picture(path,
                  picture_of({.title = title, .x_label = x_label, .y_label = y_label, .curves = curves}, 1000, 600));
}

}  // namespace nowcell
