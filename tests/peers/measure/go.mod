module peers/measure

go 1.26.0
